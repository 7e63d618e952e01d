// Takes run requests: makes the run known, hands the program to a warm sandbox at once (or has it compiled), and claims the run meanwhile.
import type { Logger } from '@rungrid/kit/logger';
import { nowUs } from '@rungrid/kit/clock';
import type { TokenBucket } from '@rungrid/kit/token-bucket';
import { ERRORS } from '@rungrid/proto/errors';
import type { RunRequest } from '@rungrid/proto/stream-entries';
import type { Language } from '@rungrid/sandbox/languages';
import type { WorkerMetrics } from '../metrics.js';
import type { ArtifactSource, ArtifactTicket, CompileResult, KeptResult } from '../run/artifacts.js';
import { lowerLimits, type RunLimits } from '../run/limits.js';
import type { Lease } from '../run/options.js';
import { poolKeyOf } from '../run/ports.js';
import { replacedFile, runFrames } from '../run/programs.js';
import { Run } from '../run/run.js';
import type { RunTable } from '../run/table.js';

/** How long a claimed run waits for a sandbox that is not there yet, ms. */
const COLD_START_TIMEOUT_MS = 20_000;
/** Workers that a request may come to; one more delivery, and it is refused. */
const MAX_DELIVERIES = 2;

/** Where sandboxes come from. */
export interface SandboxSource {
  /** A warm one of this pool key (poolKeyOf) at once, or undefined. */
  tryAcquire(poolKey: string): Lease | undefined;
  /** Keeps a place for who will ask later. Returns how to give it back, before he asks. Idempotent. */
  reserve(poolKey: string): () => void;
  /** The next one to be ready. Rejects when none can be made, or on the signal. */
  acquireCold(poolKey: string, signal: AbortSignal): Promise<Lease>;
}

/** A stream that a gateway has opened ahead, taken for one run. */
export interface GatewayStream {
  /** The run's events go there from now on, all of them. false: it is gone. */
  assign(run: Run): boolean;
  /** The run is not ours: the stream waits for another. */
  release(): void;
}

/** The streams that gateways have opened ahead. */
export interface GatewayStreams {
  take(gatewayId: string): GatewayStream | undefined;
}

export interface ClaimRequest {
  readonly runId: string;
  readonly language: string;
  readonly entryId: string;
  readonly gatewayId: string;
  /** Whether its gateway is told on its reply stream; otherwise a stream of its own tells it. */
  readonly tell: boolean;
}

export interface DispatcherOptions {
  readonly languages: ReadonlyMap<string, Language>;
  readonly limits: RunLimits;
  readonly pace: TokenBucket;
  readonly ringBytes: number;
  readonly unattachedMs: number;
  readonly resumeMs: number;
  readonly pool: SandboxSource;
  /** For the languages that have a compile step. */
  readonly artifacts: ArtifactSource;
  readonly table: RunTable;
  readonly streams: GatewayStreams;
  /** The epoch, or 0 when the run is not to be had. */
  readonly claim: (request: ClaimRequest) => Promise<number>;
  /** Tells a gateway, by way of its reply stream, that this worker has its run. In the background. */
  readonly tell: (run: Run, gatewayId: string) => void;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
}

/** A run on its way to its sandbox. */
interface Dispatch {
  readonly request: RunRequest;
  readonly language: Language;
  readonly run: Run;
  /** The run has ended: nothing is waited for any more. */
  readonly over: AbortSignal;
}

/** What its sandbox is sent: now, or when it is compiled. Undefined: it will not run, and has ended. */
type Program = readonly Uint8Array[] | Promise<readonly Uint8Array[] | undefined>;

export class Dispatcher {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Takes a request that this worker read. Never throws and never rejects: a fault is the run's outcome. */
  take(request: RunRequest, from: { readonly entryId: string; readonly deliveries: number }): void {
    const { languages, metrics, logger } = this.#options;
    const language = languages.get(request.language);
    if (language === undefined) return;
    const known = this.#options.table.get(request.run);
    // Delivered twice while its claim is slow: the first one has it.
    if (known?.epoch === 0) return;
    // A Redis that came back with older data hands out what is heard by its gateway already: it is taken off the queue, and goes on as it was.
    if (known?.subscription.attached === true)
      return void this.#claim(known, { request, entryId: from.entryId, tell: false });
    // Claimed before and queued again: whoever waited for it gave that claim up.
    known?.abandon();
    const takenUs = nowUs();
    const { entryId, deliveries } = from;
    const way =
      deliveries > MAX_DELIVERIES
        ? this.#refuse(request, language, entryId)
        : this.#dispatch(request, language, entryId);
    way.catch((error: unknown) => logger.error({ err: error, run: request.run }, 'dispatch failed'));
    // Counted once the program is on its way.
    metrics.queueDuration.observe({ language: language.name }, Math.max(0, takenUs - request.accepted_us) / 1e6);
  }

  /** It came to others before, who were gone before they had claimed it: this worker says so instead of following them. */
  async #refuse(request: RunRequest, language: Language, entryId: string): Promise<void> {
    const run = this.#createRun(request, language, new AbortController());
    this.#options.table.add(run);
    this.#options.logger.error({ run: run.id, language: run.language }, 'request lost its workers');
    if (await this.#claimed(run, request, entryId)) run.fail('poison', ERRORS.poison.meaning);
  }

  async #dispatch(request: RunRequest, language: Language, entryId: string): Promise<void> {
    const { pool, table, metrics } = this.#options;
    const mode = request.tty === undefined ? 'pipe' : 'tty';
    const poolKey = poolKeyOf({ language: language.name, class: 'run', mode });
    // Known before the claim: the gateway may attach before the claim's answer is here.
    const over = new AbortController();
    const run = this.#createRun(request, language, over);
    table.add(run);
    // Before the claim's answer: a sandbox reaches nothing outside itself, so a program may run before it is known to be ours, as
    // long as nothing of it is told. A gateway hears of the run once it is claimed.
    const program = this.#program({ request, language, run, over: over.signal });
    const ready = program instanceof Promise ? undefined : program;
    const warm = ready === undefined ? undefined : pool.tryAcquire(poolKey);
    if (ready !== undefined && warm !== undefined) run.begin(warm, ready);
    const cold = ready !== undefined && warm === undefined ? this.#acquireCold(poolKey, over.signal) : undefined;
    // Not taken, but promised: what is not there yet must not hold a warm sandbox, and no more may be read than there will be places for.
    const giveBack = ready === undefined ? pool.reserve(poolKey) : undefined;
    try {
      if (!(await this.#claimed(run, request, entryId))) return;
      const checkout = (lease: Lease | undefined): void =>
        metrics.checkouts.inc({ language: language.name, warm: String(lease?.warm === true) });
      if (warm !== undefined) return checkout(warm);
      const frames = await program;
      giveBack?.();
      if (frames === undefined) return;
      const lease = await (cold ?? this.#acquireCold(poolKey, over.signal));
      checkout(lease);
      if (lease === undefined) run.fail('start_failed', 'no sandbox could be started');
      else run.begin(lease, frames);
    } finally {
      giveBack?.();
    }
  }

  /** Claims the run and puts it on its gateway's stream; false: it is not ours, and is over here. */
  async #claimed(run: Run, request: RunRequest, entryId: string): Promise<boolean> {
    const { metrics, streams, tell } = this.#options;
    const stream = streams.take(request.gateway);
    const claim = this.#claim(run, { request, entryId, tell: stream === undefined });
    metrics.liveRuns.inc();
    const epoch = await claim;
    if (epoch === 0) {
      metrics.lostClaims.inc();
      stream?.release();
      run.abandon();
      return false;
    }
    run.claimed(epoch);
    if (stream?.assign(run) === false) tell(run, request.gateway);
    return true;
  }

  #program(dispatch: Dispatch): Program {
    const { request, language } = dispatch;
    if (language.compile === undefined) return runFrames(request, language);
    const note = replacedFile(request, language);
    if (note !== undefined) dispatch.run.compilerOutput(Buffer.from(note));
    const ticket = this.#options.artifacts.find(request, language);
    return ticket.kept === undefined ? this.#compiled(ticket, dispatch) : this.#kept(ticket.kept, dispatch);
  }

  #kept(result: KeptResult, dispatch: Dispatch): Program {
    const { diagnostics } = result.kind === 'compiled' ? result.artifact : result;
    if (diagnostics.length > 0) dispatch.run.compilerOutput(diagnostics);
    return this.#outcome(result, dispatch) ?? Promise.resolve(undefined);
  }

  #compiled(ticket: ArtifactTicket, dispatch: Dispatch): Promise<readonly Uint8Array[] | undefined> {
    const { run, over } = dispatch;
    return new Promise((resolve) => {
      const leave = ticket.follow({
        diagnostics: (bytes) => run.compilerOutput(bytes),
        settled: (result) => resolve(this.#outcome(result, dispatch)),
      });
      over.addEventListener(
        'abort',
        () => {
          leave();
          resolve(undefined);
        },
        { once: true },
      );
    });
  }

  /** The frames of what was compiled; undefined: the run ends instead. */
  #outcome(result: CompileResult, { run, request, language }: Dispatch): readonly Uint8Array[] | undefined {
    if (result.kind === 'compiled') return runFrames(request, language, result.artifact.content);
    if (result.kind === 'refused') run.notCompiled(result.outcome);
    else run.fail(result.code, result.message);
    return undefined;
  }

  /** 0 when the run is not to be had, or Redis does not say. */
  async #claim(run: Run, from: { request: RunRequest; entryId: string; tell: boolean }): Promise<number> {
    const { claim, metrics, logger } = this.#options;
    const claimUs = nowUs();
    try {
      const epoch = await claim({
        runId: run.id,
        language: run.language,
        entryId: from.entryId,
        gatewayId: from.request.gateway,
        tell: from.tell,
      });
      metrics.claimDuration.observe({ language: run.language }, (nowUs() - claimUs) / 1e6);
      return epoch;
    } catch (error) {
      logger.warn({ err: error, run: run.id }, 'claim failed');
      return 0;
    }
  }

  /** The next sandbox to be ready; undefined when there will be none. A lease that comes after the abort is given back. */
  async #acquireCold(poolKey: string, aborted: AbortSignal): Promise<Lease | undefined> {
    const { pool, logger } = this.#options;
    // Not AbortSignal.timeout(): held by nothing but any(), it is collected before its time, and nobody's wait ends.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error('no sandbox in time')), COLD_START_TIMEOUT_MS);
    try {
      const lease = await pool.acquireCold(poolKey, AbortSignal.any([aborted, late.signal]));
      if (!aborted.aborted) return lease;
      lease.release();
    } catch (error) {
      if (!aborted.aborted) logger.warn({ err: error, poolKey }, 'no sandbox');
    } finally {
      clearTimeout(timer);
    }
    return undefined;
  }

  #createRun(request: RunRequest, language: Language, over: AbortController): Run {
    const { limits, pace, ringBytes, unattachedMs, resumeMs, metrics, table } = this.#options;
    const labels = { language: language.name };
    const run: Run = new Run({
      id: request.run,
      key: request.key,
      language: language.name,
      version: language.version,
      stdin: request.stdin === undefined ? undefined : Buffer.from(request.stdin),
      limits: lowerLimits(limits, manifestLimits(language), requestLimits(request)),
      pace,
      ringBytes,
      keep: request.on_disconnect === 'keep',
      unattachedMs,
      resumeMs,
      observer: {
        started: (us) => metrics.handoffDuration.observe(labels, us / 1e6),
        firstOutput: (us) => metrics.firstOutputDuration.observe(labels, us / 1e6),
        ended: (reason) => {
          metrics.runs.inc({ ...labels, reason });
          metrics.liveRuns.dec();
          over.abort();
        },
        detached: (expire) => table.detached(run, expire),
        kept: (forget) => table.keep(run, forget),
        closed: () => table.remove(run),
      },
    });
    return run;
  }
}

function manifestLimits({ limits = {} }: Language): Partial<RunLimits> {
  return defined({
    wallMs: limits.wallMs,
    cpuMs: limits.cpuTimeMs,
    idleMs: limits.idleMs,
    outputBytes: limits.outputBytes,
  });
}

function requestLimits({ limits }: RunRequest): Partial<RunLimits> {
  return defined({ wallMs: limits.wall_ms, cpuMs: limits.cpu_ms, outputBytes: limits.output_bytes });
}

function defined(limits: { [K in keyof RunLimits]?: number | undefined }): Partial<RunLimits> {
  return Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
}
