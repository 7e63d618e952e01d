// Artifacts for runs: from memory, from the store, or compiled. Concurrent requests for the same program share one compile step.
import { newHexId } from '@rungrid/kit/ids';
import type { CompileFollower, CompileResult, KeptResult } from '../run/artifacts.js';
import type { Lease } from '../run/options.js';
import { ResultCache } from './cache.js';
import { compileIn } from './compiler.js';
import { Flight } from './flight.js';
import type { ArtifactStore, CompileSandboxes } from './ports.js';
import { Slots } from './slots.js';

/** How long a compile step waits for its turn and its sandbox, ms. Together with the step itself it stays below the gateway's start deadline. */
const WAIT_MS = 20_000;
/** Compile steps that may wait for their turn; past this a run ends with `overloaded`. */
const MAX_WAITING = 64;

/** Where a result came from, for the metrics. `joined`: another run's compile step; `abandoned`: its last run left. */
export type CompileSource = 'memory' | 'store' | 'compiled' | 'joined' | 'refused' | 'abandoned' | 'fault';

const OVERLOADED = {
  kind: 'fault',
  code: 'overloaded',
  message: 'too many programs are waiting to be compiled',
} as const;
const ABANDONED = { kind: 'fault', code: 'internal', message: 'the last run waiting for it left' } as const;

export interface CompileJob {
  /** artifactKey() of every input. */
  readonly key: string;
  readonly language: string;
  /** the pool key of its compile sandboxes. */
  readonly poolKey: string;
  /** The START frame. */
  readonly start: () => Buffer;
  /** Largest artifact, bytes. */
  readonly maxBytes: number;
  /** The compile step's own time, ms. */
  readonly wallMs: number;
}

export interface CompilationsOptions {
  readonly pool: CompileSandboxes;
  readonly store: ArtifactStore;
  /** Compile steps at once. */
  readonly atOnce: number;
  /** Results kept in memory, bytes. */
  readonly cacheBytes: number;
  /** How long a compile step waits for its turn and its sandbox, ms. Default 20000. */
  readonly waitMs?: number;
  readonly observer: {
    served(language: string, source: CompileSource): void;
    /** A compile step ended with a program or diagnostics, ms after it got its sandbox. */
    compiled(language: string, ms: number): void;
    /** No sandbox was available for a compile step. For the log. */
    failed(language: string, error: unknown): void;
  };
}

export class Compilations {
  readonly #options: CompilationsOptions;
  readonly #cache: ResultCache;
  readonly #slots: Slots;
  /** By key. At most as many as there are live runs. */
  readonly #flights = new Map<string, Flight>();

  constructor(options: CompilationsOptions) {
    this.#options = options;
    this.#cache = new ResultCache(options.cacheBytes);
    this.#slots = new Slots({ atOnce: options.atOnce, waiting: MAX_WAITING });
  }

  get cacheBytes(): number {
    return this.#cache.bytes;
  }

  /** The result in memory, if any; synchronous. */
  kept(job: { key: string; language: string }): KeptResult | undefined {
    const result = this.#cache.get(job.key);
    if (result !== undefined) this.#options.observer.served(job.language, 'memory');
    return result;
  }

  /** Starts a compile step or joins the one in flight. Returns how to leave. */
  follow(job: CompileJob, follower: CompileFollower): () => void {
    const under = this.#flights.get(job.key);
    if (under !== undefined) {
      this.#options.observer.served(job.language, 'joined');
      return under.join(follower);
    }
    const flight = new Flight();
    this.#flights.set(job.key, flight);
    flight.signal.addEventListener('abort', () => this.#forget(job.key, flight), { once: true });
    const leave = flight.join(follower);
    void this.#fly(job, flight);
    return leave;
  }

  async #fly(job: CompileJob, flight: Flight): Promise<void> {
    const result = await this.#make(job, flight);
    this.#forget(job.key, flight);
    if (result.kind === 'compiled' || (result.kind === 'refused' && result.final)) this.#cache.put(job.key, result);
    flight.settle(result);
  }

  #forget(key: string, flight: Flight): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key);
  }

  async #make(job: CompileJob, flight: Flight): Promise<CompileResult> {
    const { store, observer } = this.#options;
    const stored = await store.get(job.key);
    if (stored !== undefined) {
      if (stored.diagnostics.length > 0) flight.diagnostics(stored.diagnostics);
      observer.served(job.language, 'store');
      return { kind: 'compiled', artifact: stored };
    }
    const result = await this.#compile(job, flight);
    observer.served(job.language, result === ABANDONED ? 'abandoned' : result.kind);
    if (result.kind === 'compiled') store.put(job.key, result.artifact);
    return result;
  }

  async #compile(job: CompileJob, flight: Flight): Promise<CompileResult> {
    const late = AbortSignal.timeout(this.#options.waitMs ?? WAIT_MS);
    const waiting = AbortSignal.any([flight.signal, late]);
    try {
      const result = await this.#slots.run(waiting, async () => {
        const lease = await this.#options.pool.acquireCold(job.poolKey, waiting);
        return this.#compileIn(lease, job, flight);
      });
      return result ?? OVERLOADED;
    } catch (error) {
      if (flight.signal.aborted) return ABANDONED;
      if (late.aborted) return OVERLOADED;
      this.#options.observer.failed(job.language, error);
      return { kind: 'fault', code: 'start_failed', message: 'no sandbox could be started for the compiler' };
    }
  }

  async #compileIn(lease: Lease, job: CompileJob, flight: Flight): Promise<CompileResult> {
    const beganMs = performance.now();
    const order = { start: job.start(), maxBytes: job.maxBytes, wallMs: job.wallMs, id: `compile-${newHexId()}` };
    const onDiagnostics = (bytes: Buffer): void => flight.diagnostics(bytes);
    const result = await compileIn(lease, order, { onDiagnostics, signal: flight.signal });
    if (result.kind !== 'fault') this.#options.observer.compiled(job.language, performance.now() - beganMs);
    return result.kind === 'fault' && flight.signal.aborted ? ABANDONED : result;
  }
}
