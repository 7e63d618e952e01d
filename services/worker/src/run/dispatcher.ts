// Takes run requests: makes the run known, hands the program to a warm sandbox at once, and claims the run meanwhile.
import type { Logger } from '@rungrid/kit/logger';
import { nowUs } from '@rungrid/kit/clock';
import type { RunRequest } from '@rungrid/proto/stream-entries';
import { encodeStart } from '@rungrid/sandbox/agent-frames';
import type { Language } from '@rungrid/sandbox/languages';
import type { WorkerMetrics } from '../metrics.js';
import { lowerLimits, type RunLimits } from './limits.js';
import type { Lease } from './options.js';
import { Run } from './run.js';
import type { RunTable } from './table.js';

/** How long a claimed run waits for a sandbox that is not there yet, ms. */
const COLD_START_TIMEOUT_MS = 20_000;

/** Where sandboxes come from. */
export interface SandboxSource {
  /** A warm one at once, or undefined. */
  tryAcquire(language: string): Lease | undefined;
  /** The next one to be ready. Rejects when none can be made, or on the signal. */
  acquireCold(language: string, signal: AbortSignal): Promise<Lease>;
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
  readonly ringBytes: number;
  readonly unattachedMs: number;
  readonly pool: SandboxSource;
  readonly table: RunTable;
  readonly streams: GatewayStreams;
  /** The epoch, or 0 when the run is not to be had. */
  readonly claim: (request: ClaimRequest) => Promise<number>;
  /** Tells a gateway, by way of its reply stream, that this worker has its run. In the background. */
  readonly tell: (run: Run, gatewayId: string) => void;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
}

export class Dispatcher {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  /** Takes a request that this worker read. Never throws and never rejects: a fault is the run's outcome. */
  take(request: RunRequest, entryId: string): void {
    const { languages, metrics, logger } = this.#options;
    const language = languages.get(request.language);
    if (language === undefined) return;
    const takenUs = nowUs();
    this.#dispatch(request, language, entryId).catch((error: unknown) =>
      logger.error({ err: error, run: request.run }, 'dispatch failed'),
    );
    // Counted once the program is on its way.
    metrics.queueSeconds.observe({ language: language.name }, Math.max(0, takenUs - request.accepted_us) / 1e6);
  }

  async #dispatch(request: RunRequest, language: Language, entryId: string): Promise<void> {
    const { pool, table, metrics, streams, tell } = this.#options;
    const labels = { language: language.name };
    // Known before the claim: the gateway may attach before the claim's answer is here.
    const run = this.#createRun(request, language);
    table.add(run);
    // Before the claim's answer: a sandbox reaches nothing outside itself, so a program may run before it is known to be ours, as
    // long as nothing of it is told. A gateway hears of the run once it is claimed.
    const cold = new AbortController();
    const warm = pool.tryAcquire(language.name);
    if (warm !== undefined) run.begin(warm);
    const later = warm === undefined ? this.#acquireCold(language, cold.signal) : undefined;
    const stream = streams.take(request.gateway);
    const claim = this.#claim(run, { request, entryId, tell: stream === undefined });
    metrics.liveRuns.inc();
    const epoch = await claim;
    if (epoch === 0) {
      metrics.lostClaims.inc();
      stream?.release();
      cold.abort();
      run.abandon();
      return;
    }
    run.claimed(epoch);
    if (stream?.assign(run) === false) tell(run, request.gateway);
    metrics.checkouts.inc({ ...labels, warm: String(warm !== undefined) });
    if (later === undefined) return;
    const lease = await later;
    if (lease === undefined) run.fail('start_failed', 'no sandbox could be started');
    else run.begin(lease);
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
      metrics.claimSeconds.observe({ language: run.language }, (nowUs() - claimUs) / 1e6);
      return epoch;
    } catch (error) {
      logger.warn({ err: error, run: run.id }, 'claim failed');
      return 0;
    }
  }

  /** The next sandbox to be ready; undefined when there will be none. A lease that comes after the abort is given back. */
  async #acquireCold(language: Language, aborted: AbortSignal): Promise<Lease | undefined> {
    const { pool, logger } = this.#options;
    try {
      const signal = AbortSignal.any([aborted, AbortSignal.timeout(COLD_START_TIMEOUT_MS)]);
      const lease = await pool.acquireCold(language.name, signal);
      if (!aborted.aborted) return lease;
      lease.release();
    } catch (error) {
      if (!aborted.aborted) logger.warn({ err: error, language: language.name }, 'no sandbox');
    }
    return undefined;
  }

  #createRun(request: RunRequest, language: Language): Run {
    const { limits, ringBytes, unattachedMs, metrics, table } = this.#options;
    const labels = { language: language.name };
    const run: Run = new Run({
      id: request.run,
      key: request.key,
      language: language.name,
      version: language.version,
      start: encodeStart({
        files: [...request.files, { name: language.fileName, content: request.code }],
        run: language.run,
        args: request.args,
      }),
      compiled: language.compile !== undefined,
      stdin: request.stdin === undefined ? undefined : Buffer.from(request.stdin),
      limits: lowerLimits(limits, manifestLimits(language), requestLimits(request)),
      ringBytes,
      unattachedMs,
      observer: {
        started: (us) => metrics.handOverSeconds.observe(labels, us / 1e6),
        firstOutput: (us) => metrics.firstOutputSeconds.observe(labels, us / 1e6),
        ended: (reason) => {
          metrics.runs.inc({ ...labels, reason });
          metrics.liveRuns.dec();
        },
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
