// All runs of this gateway: gives claims to their runs, stops orphaned claims, and reconciles runs that are queued for long.
import type { Logger } from '@rungrid/kit/logger';
import { LRUCache } from 'lru-cache';
import { FreshRun } from './fresh-run.js';
import { ResumedRun } from './resumed-run.js';
import type {
  ClaimNotice,
  OpenStream,
  Registry,
  ResumeRequest,
  RoutingMetrics,
  RoutingSettings,
  RunHandle,
  RunListener,
  RunSpec,
  RunStreamHandlers,
} from './types.js';

/** Ended runs whose claim may still come, remembered with the key that stops them. Past the bound the least recent is forgotten. */
const MAX_REMEMBERED = 10_000;
/** How long a worker may take to stop an orphaned claim, ms. */
const ORPHAN_STOP_MS = 5000;
/** How often queued runs are reconciled with Redis, ms, and how many at once: the longest queue takes a few rounds. */
const RECONCILE_MS = 2000;
const RECONCILE_AT_ONCE = 200;
/** A run that is queued for less is not reconciled: the notice of its claim takes milliseconds, if nothing is lost. */
const RECONCILE_AFTER_MS = 2500;

export interface RouterOptions {
  readonly registry: Registry;
  readonly openStream: OpenStream;
  readonly metrics: RoutingMetrics;
  readonly settings: RoutingSettings;
  readonly logger: Logger;
  /** Whether a worker announces itself. */
  readonly isAlive: (workerId: string) => boolean;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #runs = new Map<string, FreshRun>();
  readonly #resumed = new Set<ResumedRun>();
  readonly #remembered = new LRUCache<string, string>({ max: MAX_REMEMBERED });
  readonly #orphanedClaims = new Map<() => void, NodeJS.Timeout>();
  /** Set while there are fresh runs. */
  #reconcileTimer: NodeJS.Timeout | undefined;
  #reconciling = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** Runs that have not ended, those without a client included. */
  get size(): number {
    return this.#runs.size + this.#resumed.size;
  }

  submit(spec: RunSpec, listener: RunListener): RunHandle {
    const run = new FreshRun(spec, listener, {
      ...this.#options,
      onEnded: (ended, claimable) => this.#ended(ended, claimable),
    });
    this.#runs.set(run.id, run);
    this.#reconcileTimer ??= setInterval(() => void this.#reconcileQueued(), RECONCILE_MS);
    return run;
  }

  /** A client resumes a run that it started through this gateway or another. */
  resume(request: ResumeRequest, listener: RunListener): RunHandle {
    const run = new ResumedRun(request, listener, {
      ...this.#options,
      onEnded: (ended) => {
        this.#resumed.delete(ended);
        this.#maybeEmpty();
      },
    });
    this.#resumed.add(run);
    return run;
  }

  /** A worker has claimed a run. */
  claimed(notice: ClaimNotice): void {
    const run = this.#runs.get(notice.run);
    if (run?.claimed(notice) === true) return;
    this.#options.metrics.orphanedClaim();
    const key = run?.spec.key ?? this.#remembered.get(notice.run);
    const reason = run === undefined ? (key === undefined ? 'run unknown' : 'run ended') : 'run attached already';
    this.#options.logger.info({ run: notice.run, worker: notice.worker, reason }, 'claim orphaned');
    if ('take' in notice) this.#stopOrphaned(notice);
    // A second claim of a run that is attached must not end the first: its key would take the run over.
    else if (run === undefined && key !== undefined) this.#stopOrphaned(notice, key);
  }

  /** Abandons every run and waits until the workers have ended them, `timeoutMs` at most. */
  async close(timeoutMs: number): Promise<void> {
    for (const run of [...this.#runs.values(), ...this.#resumed]) run.abandon();
    if (this.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#onEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const [cancel, timer] of this.#orphanedClaims) {
      clearTimeout(timer);
      cancel();
    }
    this.#orphanedClaims.clear();
  }

  #ended(run: FreshRun, claimable: boolean): void {
    this.#runs.delete(run.id);
    if (claimable) this.#remembered.set(run.id, run.spec.key);
    this.#maybeEmpty();
  }

  #maybeEmpty(): void {
    if (this.#runs.size === 0) {
      clearInterval(this.#reconcileTimer);
      this.#reconcileTimer = undefined;
    }
    if (this.size === 0) this.#onEmpty?.();
  }

  /** Finds queued runs that Redis has forgotten, and those whose claim was lost with its worker or on its way. */
  async #reconcileQueued(): Promise<void> {
    if (this.#reconciling) return;
    this.#reconciling = true;
    const sinceMs = performance.now() - RECONCILE_AFTER_MS;
    try {
      const queued = [...this.#runs.values()].filter((run) => run.queuedSince(sinceMs)).slice(0, RECONCILE_AT_ONCE);
      await Promise.all(queued.map((run) => this.#reconcile(run)));
    } catch (error) {
      // Redis is away: the next round asks again.
      const err = error instanceof Error ? error.message : 'unknown';
      this.#options.logger.warn({ err }, 'queued runs not reconciled');
    } finally {
      this.#reconciling = false;
    }
  }

  async #reconcile(run: FreshRun): Promise<void> {
    const held = await run.requeue();
    if (held === undefined) return;
    if (this.#options.isAlive(held.worker)) return this.claimed({ run: run.id, ...held });
    run.invalidateClaim(held.epoch);
    this.#options.metrics.requeued('worker_lost');
    await run.requeue();
  }

  /** `key`: of the run, when it is to be attached to first. */
  #stopOrphaned(notice: ClaimNotice, key = ''): void {
    this.#remembered.delete(notice.run);
    const done = () => {
      clearTimeout(this.#orphanedClaims.get(cancel));
      this.#orphanedClaims.delete(cancel);
    };
    const handlers: RunStreamHandlers = { event: () => undefined, end: done };
    const stream = 'take' in notice ? notice.take(handlers) : this.#options.openStream(notice.address, handlers);
    const cancel = () => stream.cancel();
    const expire = () => {
      done();
      cancel();
    };
    this.#orphanedClaims.set(cancel, setTimeout(expire, ORPHAN_STOP_MS));
    if (!('take' in notice)) {
      const { run: runId, epoch } = notice;
      stream.send({ kind: 'attach', runId, key, epoch, afterSeq: 0, resume: false });
    }
    stream.send({ kind: 'stop', disconnected: true });
  }
}
