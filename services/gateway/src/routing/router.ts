// All runs of this gateway by id: gives claims to their runs, and turns workers away that claimed for nobody.
import type { Logger } from '@rungrid/kit/logger';
import { LRUCache } from 'lru-cache';
import { type ResumeAsk, ResumedRun } from './resumed-run.js';
import { Run } from './run.js';
import type {
  Offer,
  OpenStream,
  Registry,
  RoutingMetrics,
  RoutingSettings,
  RunHandle,
  RunListener,
  RunSpec,
  RunStreamHandlers,
} from './types.js';

/** Ended runs whose claim may still come, remembered with the key that stops them. Past the bound the oldest is forgotten. */
const MAX_REMEMBERED = 10_000;
/** How long a worker may take to obey a stop that nobody waits for, ms. */
const STRAY_WAIT_MS = 5000;
/** How often runs that wait are looked after, ms, and how many at once: the longest queue takes a few rounds. */
const CARE_MS = 2000;
const CARE_AT_ONCE = 200;
/** A run that waits for less is not looked after: its claim is told within milliseconds, if nothing is lost. */
const CARE_AFTER_MS = 2500;

export interface RouterOptions {
  readonly registry: Registry;
  readonly openStream: OpenStream;
  readonly metrics: RoutingMetrics;
  readonly settings: RoutingSettings;
  readonly logger: Logger;
  /** Whether a worker says of itself that it lives. */
  readonly isAlive: (workerId: string) => boolean;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #runs = new Map<string, Run>();
  readonly #resumed = new Set<ResumedRun>();
  readonly #remembered = new LRUCache<string, string>({ max: MAX_REMEMBERED });
  readonly #orphanedClaims = new Map<() => void, NodeJS.Timeout>();
  /** Runs while there are runs. */
  #careTimer: NodeJS.Timeout | undefined;
  #caring = false;
  #onEmpty: (() => void) | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** Runs that have not ended, those without a client included. */
  get size(): number {
    return this.#runs.size + this.#resumed.size;
  }

  submit(spec: RunSpec, listener: RunListener): Run {
    const run = new Run(spec, listener, {
      ...this.#options,
      onEnded: (ended, claimable) => this.#ended(ended, claimable),
    });
    this.#runs.set(run.id, run);
    this.#careTimer ??= setInterval(() => void this.#care(), CARE_MS);
    return run;
  }

  /** A client came back for a run, by way of this gateway or another. */
  resume(ask: ResumeAsk, listener: RunListener): RunHandle {
    const run = new ResumedRun(ask, listener, {
      ...this.#options,
      onEnded: (ended) => {
        this.#resumed.delete(ended);
        this.#maybeEmpty();
      },
    });
    this.#resumed.add(run);
    return run;
  }

  /** A worker says that it has a run. */
  offered(offer: Offer): void {
    const run = this.#runs.get(offer.run);
    if (run?.offered(offer) === true) return;
    this.#options.metrics.orphanedClaim();
    const key = run?.spec.request.key ?? this.#remembered.get(offer.run);
    this.#options.logger.info({ run: offer.run, worker: offer.worker, known: key !== undefined }, 'claim for nobody');
    if ('take' in offer) this.#stopOrphaned(offer);
    // A second claim of a run that is attached must not end the first: its key would take the run over.
    else if (run === undefined && key !== undefined) this.#stopOrphaned(offer, key);
  }

  /** Abandons every run and waits until the workers have let go, `timeoutMs` at most. */
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

  #ended(run: Run, claimable: boolean): void {
    this.#runs.delete(run.id);
    if (claimable) this.#remembered.set(run.id, run.spec.request.key);
    this.#maybeEmpty();
  }

  #maybeEmpty(): void {
    if (this.#runs.size === 0) {
      clearInterval(this.#careTimer);
      this.#careTimer = undefined;
    }
    if (this.size === 0) this.#onEmpty?.();
  }

  /** Looks after the runs that wait: one that Redis has forgotten, or whose claim was lost with its worker or on its way, is found here. */
  async #care(): Promise<void> {
    if (this.#caring) return;
    this.#caring = true;
    const sinceMs = performance.now() - CARE_AFTER_MS;
    try {
      const waiting = [...this.#runs.values()].filter((run) => run.waitsSince(sinceMs)).slice(0, CARE_AT_ONCE);
      await Promise.all(waiting.map((run) => this.#reconcile(run)));
    } catch (error) {
      // Redis is away: the next round asks again.
      this.#options.logger.warn(
        { err: error instanceof Error ? error.message : 'unknown' },
        'waiting runs not seen to',
      );
    } finally {
      this.#caring = false;
    }
  }

  async #reconcile(run: Run): Promise<void> {
    const held = await run.requeue();
    if (held === undefined) return;
    if (this.#options.isAlive(held.worker)) return this.offered({ run: run.id, ...held });
    run.invalidateClaim(held.epoch);
    this.#options.metrics.requeued('worker_lost');
    await run.requeue();
  }

  /** `key`: of the run, when it is to be attached to first. */
  #stopOrphaned(offer: Offer, key = ''): void {
    this.#remembered.delete(offer.run);
    const done = () => {
      clearTimeout(this.#orphanedClaims.get(cancel));
      this.#orphanedClaims.delete(cancel);
    };
    const handlers: RunStreamHandlers = { event: () => undefined, end: done };
    const stream = 'take' in offer ? offer.take(handlers) : this.#options.openStream(offer.address, handlers);
    const cancel = () => stream.cancel();
    const expire = () => {
      done();
      cancel();
    };
    this.#orphanedClaims.set(cancel, setTimeout(expire, STRAY_WAIT_MS));
    if (!('take' in offer))
      stream.send({
        $case: 'attach',
        value: { runId: offer.run, epoch: offer.epoch, key, afterSeq: 0, resume: false },
      });
    stream.send({ $case: 'stop', value: { disconnected: true } });
  }
}
