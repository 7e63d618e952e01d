// Removes sandboxes in the background, a few at once, and retries failed removals until they succeed.
import { backoffMs } from '@rungrid/kit/backoff';
import type { Sandbox, SandboxSpec } from '../run/ports.js';

/** First and longest pause before a failed removal is retried, ms, doubling: an engine may hang for minutes. */
const RETRY = { firstMs: 500, longestMs: 10_000 };
/** Tries of each removal once the pool closes; another worker reaps the leftovers. */
const LAST_TRIES = 4;

export interface DestroyerOptions {
  /** How many at once, read before each removal. */
  readonly atOnce: () => number;
  /** No removal before this time, ms of performance.now(), after a checkout. A removal waits at most `longestHoldMs` for it. */
  readonly holdUntilMs: () => number;
  readonly longestHoldMs: number;
  /** The first try failed; more follow. */
  readonly onFailed: (spec: SandboxSpec, error: unknown) => void;
  /** One was removed, or abandoned with the last try's error. */
  readonly onSettled: (result: { spec: SandboxSpec; destroyMs: number; error: unknown }) => void;
}

interface Job {
  readonly sandbox: Sandbox;
  readonly spec: SandboxSpec;
  readonly addedMs: number;
  /** When the first try began, ms; 0 before. */
  beganMs: number;
  failures: number;
}

/** Bounded by the sandboxes that exist, at most the pool's maxSize. */
export class Destroyer {
  readonly #options: DestroyerOptions;
  readonly #queue: Job[] = [];
  /** Failed removals that wait for their next try; they do not count against `atOnce`. */
  readonly #failed = new Map<Job, NodeJS.Timeout>();
  readonly #idle: Array<() => void> = [];
  readonly #running = new Set<Job>();
  #timer: NodeJS.Timeout | undefined;
  #hurried = false;

  constructor(options: DestroyerOptions) {
    this.#options = options;
  }

  /** Queued, in flight, and waiting for a retry. */
  get size(): number {
    return this.#queue.length + this.#running.size + this.#failed.size;
  }

  /** Removals in flight now that were first tried at `sinceMs` of performance.now() or later. */
  running(sinceMs = 0): number {
    let count = 0;
    for (const job of this.#running) if (job.beganMs >= sinceMs) count += 1;
    return count;
  }

  add(sandbox: Sandbox, spec: SandboxSpec): void {
    this.#queue.push({ sandbox, spec, addedMs: performance.now(), beganMs: 0, failures: 0 });
    this.pump();
  }

  /** Starts the removals that may start now. */
  pump(): void {
    clearTimeout(this.#timer);
    while (this.#queue.length > 0 && this.#running.size < this.#options.atOnce()) {
      const waitMs = this.#holdMs();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), Math.ceil(waitMs));
        return;
      }
      const job = this.#queue.shift();
      if (job !== undefined) void this.#run(job);
    }
  }

  /** Retries failed removals now: the engine has recovered. */
  retryNow(): void {
    for (const [job, timer] of this.#failed) {
      clearTimeout(timer);
      job.failures = 0;
      this.#queue.push(job);
    }
    this.#failed.clear();
    this.pump();
  }

  /** Settles when everything is removed or abandoned; holds nothing back. */
  async finish(): Promise<void> {
    this.#hurried = true;
    this.retryNow();
    if (this.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #holdMs(): number {
    const oldest = this.#queue[0];
    if (this.#hurried || oldest === undefined) return 0;
    const nowMs = performance.now();
    const latestMs = oldest.addedMs + this.#options.longestHoldMs;
    return Math.min(this.#options.holdUntilMs(), latestMs) - nowMs;
  }

  async #run(job: Job): Promise<void> {
    this.#running.add(job);
    job.beganMs ||= performance.now();
    const error = await job.sandbox.destroy().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    this.#running.delete(job);
    if (error !== undefined) job.failures += 1;
    if (error === undefined || (this.#hurried && job.failures >= LAST_TRIES)) this.#settle(job, error);
    else this.#tryLater(job, error);
    this.pump();
  }

  #settle(job: Job, error: unknown): void {
    this.#options.onSettled({ spec: job.spec, destroyMs: performance.now() - job.beganMs, error });
    if (this.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #tryLater(job: Job, error: unknown): void {
    if (job.failures === 1) this.#options.onFailed(job.spec, error);
    const pauseMs = backoffMs(job.failures, { ...RETRY, ...(this.#hurried ? { longestMs: RETRY.firstMs } : {}) });
    const again = (): void => {
      this.#failed.delete(job);
      this.#queue.push(job);
      this.pump();
    };
    this.#failed.set(job, setTimeout(again, pauseMs));
  }
}
