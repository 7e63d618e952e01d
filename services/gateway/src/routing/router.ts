// All runs of this gateway by id: gives claims to their runs, and turns workers away that claimed for nobody.
import type { Logger } from '@rungrid/kit/logger';
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

export interface RouterOptions {
  readonly registry: Registry;
  readonly openStream: OpenStream;
  readonly metrics: RoutingMetrics;
  readonly settings: RoutingSettings;
  readonly logger: Logger;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #runs = new Map<string, Run>();
  readonly #remembered = new Map<string, string>();
  readonly #strays = new Map<() => void, NodeJS.Timeout>();
  #onEmpty: (() => void) | undefined;

  constructor(options: RouterOptions) {
    this.#options = options;
  }

  /** Runs that have not ended, those without a client included. */
  get size(): number {
    return this.#runs.size;
  }

  submit(spec: RunSpec, listener: RunListener): RunHandle {
    const run = new Run(spec, listener, {
      ...this.#options,
      onEnded: (ended, claimable) => this.#ended(ended, claimable),
    });
    this.#runs.set(run.id, run);
    return run;
  }

  /** A worker says that it has a run. */
  offered(offer: Offer): void {
    const run = this.#runs.get(offer.run);
    if (run?.offered(offer) === true) return;
    this.#options.metrics.strayClaim();
    const key = run?.spec.request.key ?? this.#remembered.get(offer.run);
    this.#options.logger.info({ run: offer.run, worker: offer.worker, known: key !== undefined }, 'claim for nobody');
    if ('take' in offer) this.#stopStray(offer);
    // A second claim of a run that is attached must not end the first: its key would take the run over.
    else if (run === undefined && key !== undefined) this.#stopStray(offer, key);
  }

  /** Abandons every run and waits until the workers have let go, `timeoutMs` at most. */
  async close(timeoutMs: number): Promise<void> {
    for (const run of this.#runs.values()) run.abandon();
    if (this.#runs.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#onEmpty = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    for (const [cancel, timer] of this.#strays) {
      clearTimeout(timer);
      cancel();
    }
    this.#strays.clear();
  }

  #ended(run: Run, claimable: boolean): void {
    this.#runs.delete(run.id);
    if (claimable) {
      this.#remembered.set(run.id, run.spec.request.key);
      if (this.#remembered.size > MAX_REMEMBERED) {
        const [oldest] = this.#remembered.keys();
        if (oldest !== undefined) this.#remembered.delete(oldest);
      }
    }
    if (this.#runs.size === 0) this.#onEmpty?.();
  }

  /** `key`: of the run, when it is to be attached to first. */
  #stopStray(offer: Offer, key = ''): void {
    this.#remembered.delete(offer.run);
    const done = () => {
      clearTimeout(this.#strays.get(cancel));
      this.#strays.delete(cancel);
    };
    const handlers: RunStreamHandlers = { event: () => undefined, end: done };
    const stream = 'take' in offer ? offer.take(handlers) : this.#options.openStream(offer.address, handlers);
    const cancel = () => stream.cancel();
    const giveUp = () => {
      done();
      cancel();
    };
    this.#strays.set(cancel, setTimeout(giveUp, STRAY_WAIT_MS));
    if (!('take' in offer))
      stream.send({ $case: 'attach', value: { runId: offer.run, epoch: offer.epoch, key, afterSeq: 0 } });
    stream.send({ $case: 'stop', value: { disconnected: true } });
  }
}
