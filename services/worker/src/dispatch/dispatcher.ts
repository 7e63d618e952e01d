// Takes run requests: registers the run, submits the program to a warm sandbox (or has it compiled), and claims the run meanwhile.
import type { Logger } from '@rungrid/kit/logger';
import { nowUs } from '@rungrid/kit/clock';
import type { TokenBucket } from '@rungrid/kit/token-bucket';
import { ERRORS } from '@rungrid/proto/errors';
import type { RunRequest } from '@rungrid/proto/stream-entries';
import type { Language } from '@rungrid/sandbox/languages';
import type { ArtifactSource, ArtifactTicket, CompileResult, KeptResult } from '../run/artifacts.js';
import { lowerLimits, type RunLimits } from '../run/limits.js';
import type { Lease } from '../run/options.js';
import { poolKeyOf } from '../run/ports.js';
import { replacedFile, runFrames } from '../run/programs.js';
import { Run } from '../run/run.js';
import type { RunTable } from '../run/table.js';
import type { Claims, DispatchMetrics, GatewayStreams, QueueEntry, RequestHandler, SandboxSource } from './ports.js';

/** How long a claimed run waits for a cold start, ms. */
const COLD_START_TIMEOUT_MS = 20_000;
/** How many workers may receive a request; one more delivery, and it is refused as poison. */
const MAX_DELIVERIES = 2;

export interface DispatcherOptions {
  readonly languages: ReadonlyMap<string, Language>;
  readonly limits: RunLimits;
  /** Output budget shared by all runs. */
  readonly outputBudget: TokenBucket;
  readonly ringBytes: number;
  readonly unattachedMs: number;
  readonly resumeMs: number;
  readonly pool: SandboxSource;
  /** For the languages that have a compile step. */
  readonly artifacts: ArtifactSource;
  readonly table: RunTable;
  readonly streams: GatewayStreams;
  readonly claims: Claims;
  readonly metrics: DispatchMetrics;
  readonly logger: Logger;
}

/** A run that is being dispatched. */
interface Dispatch {
  readonly request: RunRequest;
  readonly language: Language;
  readonly run: Run;
  /** Aborted when the run ends. */
  readonly over: AbortSignal;
}

/** The frames for its sandbox: now, or once it is compiled. Undefined: the run has ended instead. */
type Program = readonly Uint8Array[] | Promise<readonly Uint8Array[] | undefined>;

export class Dispatcher implements RequestHandler {
  readonly #options: DispatcherOptions;

  constructor(options: DispatcherOptions) {
    this.#options = options;
  }

  take(request: RunRequest, { entryId, deliveries }: QueueEntry): void {
    const { languages, metrics, logger } = this.#options;
    const language = languages.get(request.language);
    if (language === undefined) return;
    const known = this.#options.table.get(request.run);
    // Delivered twice while its claim is in flight: the first delivery owns it.
    if (known?.epoch === 0) return;
    // After Redis lost data, the queue may hold a run that is attached already: claim it off the queue and let it continue.
    if (known?.subscription.attached === true) return void this.#claim(known, { request, entryId, notify: false });
    // Queued again after a claim that its gateway dropped.
    known?.abandon();
    const takenUs = nowUs();
    const dispatched =
      deliveries > MAX_DELIVERIES
        ? this.#refuse(request, language, entryId)
        : this.#dispatch(request, language, entryId);
    dispatched.catch((error: unknown) => logger.error({ err: error, run: request.run }, 'dispatch failed'));
    // Observed after the program is submitted, off the critical path.
    metrics.queued(language.name, Math.max(0, takenUs - request.accepted_us));
  }

  /** The workers that received it before died before claiming it: ends it as poison instead of running it. */
  async #refuse(request: RunRequest, language: Language, entryId: string): Promise<void> {
    const run = this.#createRun(request, language, new AbortController());
    this.#options.table.add(run);
    this.#options.logger.error(
      { run: run.id, language: run.language },
      'request refused: delivered to too many workers',
    );
    if (await this.#claimed(run, request, entryId)) run.fail('poison', ERRORS.poison.meaning);
  }

  async #dispatch(request: RunRequest, language: Language, entryId: string): Promise<void> {
    const { pool, table, metrics } = this.#options;
    const mode = request.tty === undefined ? 'pipe' : 'tty';
    const poolKey = poolKeyOf({ language: language.name, class: 'run', mode });
    // Registered before the claim: the gateway may attach before the claim's reply arrives here.
    const over = new AbortController();
    const run = this.#createRun(request, language, over);
    table.add(run);
    // Before the claim's reply: a sandbox reaches nothing outside itself, so the program may run before the claim succeeds, as long as
    // no event leaves. A gateway gets the run only once it is claimed.
    const program = this.#program({ request, language, run, over: over.signal });
    const ready = program instanceof Promise ? undefined : program;
    const warm = ready === undefined ? undefined : pool.tryAcquire(poolKey);
    if (ready !== undefined && warm !== undefined) run.begin(warm, ready);
    const cold = ready !== undefined && warm === undefined ? this.#acquireCold(poolKey, over.signal) : undefined;
    // A program that is still compiling must not hold a warm sandbox, but needs a place: it counts against what the puller may read.
    const cancelReservation = ready === undefined ? pool.reserve(poolKey) : undefined;
    try {
      if (!(await this.#claimed(run, request, entryId))) return;
      if (warm !== undefined) return metrics.checkout(language.name, warm.warm);
      const frames = await program;
      cancelReservation?.();
      if (frames === undefined) return;
      const lease = await (cold ?? this.#acquireCold(poolKey, over.signal));
      metrics.checkout(language.name, lease?.warm === true);
      if (lease === undefined) run.fail('start_failed', 'no sandbox could be started');
      else run.begin(lease, frames);
    } finally {
      cancelReservation?.();
    }
  }

  /** Claims the run and assigns it to a parked stream of its gateway. false: the claim was refused, and the run is abandoned. */
  async #claimed(run: Run, request: RunRequest, entryId: string): Promise<boolean> {
    const { metrics, streams, claims } = this.#options;
    const stream = streams.take(request.gateway);
    const claim = this.#claim(run, { request, entryId, notify: stream === undefined });
    metrics.live();
    const epoch = await claim;
    if (epoch === 0) {
      metrics.claimLost();
      stream?.release();
      run.abandon();
      return false;
    }
    run.claimed(epoch);
    // The gateway may have learned of the claim from Redis, and attached, before the reply arrived here.
    if (run.subscription.attached) stream?.release();
    else if (stream?.assign(run) === false) claims.notify(run, request.gateway);
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

  /** The frames of a compiled program; undefined: the run ends instead. */
  #outcome(result: CompileResult, { run, request, language }: Dispatch): readonly Uint8Array[] | undefined {
    if (result.kind === 'compiled') return runFrames(request, language, result.artifact.content);
    if (result.kind === 'refused') run.notCompiled(result.outcome);
    else run.fail(result.code, result.message);
    return undefined;
  }

  /** The epoch; 0 when the run cannot be claimed or Redis fails. */
  async #claim(run: Run, from: { request: RunRequest; entryId: string; notify: boolean }): Promise<number> {
    const { claims, metrics, logger } = this.#options;
    const claimUs = nowUs();
    try {
      const epoch = await claims.claim({
        runId: run.id,
        language: run.language,
        entryId: from.entryId,
        gatewayId: from.request.gateway,
        notify: from.notify,
      });
      metrics.claimed(run.language, nowUs() - claimUs);
      return epoch;
    } catch (error) {
      logger.warn({ err: error, run: run.id }, 'claim failed');
      return 0;
    }
  }

  /** The next sandbox to be ready; undefined when there is none. A lease that arrives after the abort is released. */
  async #acquireCold(poolKey: string, aborted: AbortSignal): Promise<Lease | undefined> {
    const { pool, logger } = this.#options;
    // Not AbortSignal.timeout(): referenced only by any(), it may be garbage-collected before it fires.
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(new Error('no sandbox in time')), COLD_START_TIMEOUT_MS);
    try {
      const lease = await pool.acquireCold(poolKey, AbortSignal.any([aborted, late.signal]));
      if (!aborted.aborted) return lease;
      lease.release();
    } catch (error) {
      if (!aborted.aborted) logger.warn({ err: error, poolKey }, 'sandbox start failed');
    } finally {
      clearTimeout(timer);
    }
    return undefined;
  }

  #createRun(request: RunRequest, language: Language, over: AbortController): Run {
    const { limits, outputBudget, ringBytes, unattachedMs, resumeMs, metrics, table } = this.#options;
    const { name } = language;
    const run: Run = new Run({
      id: request.run,
      key: request.key,
      language: name,
      version: language.version,
      stdin: request.stdin === undefined ? undefined : Buffer.from(request.stdin),
      limits: lowerLimits(limits, manifestLimits(language), requestLimits(request)),
      outputBudget,
      ringBytes,
      keep: request.on_disconnect === 'keep',
      unattachedMs,
      resumeMs,
      observer: {
        started: (us) => metrics.started(name, us),
        firstOutput: (us) => metrics.firstOutput(name, us),
        ended: (reason) => {
          metrics.ended(name, reason);
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
