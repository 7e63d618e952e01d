// Removes sandboxes in the background, a few at once, and tries again what fails.
import type { Sandbox, SandboxSpec } from '../run/ports.js';

/** Tries before a sandbox is left to the engine's sweep, and the pause between them, ms. */
const TRIES = 4;
const RETRY_MS = 500;

export interface DestroyerOptions {
  /** How many at once, asked before each: it may depend on who waits. */
  readonly atOnce: () => number;
  /** Not before this time, ms of performance.now(): a click has just come. Ignored by what has waited `longestHoldMs`. */
  readonly holdUntilMs: () => number;
  readonly longestHoldMs: number;
  /** One is gone, or given up. */
  readonly onSettled: (result: { spec: SandboxSpec; destroyMs: number; error: unknown }) => void;
}

interface Job {
  readonly sandbox: Sandbox;
  readonly spec: SandboxSpec;
  readonly addedMs: number;
}

/** Holds at most the sandboxes that exist, which the pool's ceiling bounds. */
export class Destroyer {
  readonly #options: DestroyerOptions;
  readonly #queue: Job[] = [];
  readonly #idle: Array<() => void> = [];
  #running = 0;
  #timer: NodeJS.Timeout | undefined;
  #hurried = false;

  constructor(options: DestroyerOptions) {
    this.#options = options;
  }

  /** Queued and under way. */
  get size(): number {
    return this.#queue.length + this.#running;
  }

  add(sandbox: Sandbox, spec: SandboxSpec): void {
    this.#queue.push({ sandbox, spec, addedMs: performance.now() });
    this.pump();
  }

  /** Starts what may start now. */
  pump(): void {
    clearTimeout(this.#timer);
    while (this.#queue.length > 0 && this.#running < this.#options.atOnce()) {
      const waitMs = this.#holdMs();
      if (waitMs > 0) {
        this.#timer = setTimeout(() => this.pump(), Math.ceil(waitMs));
        return;
      }
      const job = this.#queue.shift();
      if (job !== undefined) void this.#run(job);
    }
  }

  /** Settles when nothing is left; holds nothing back any more. */
  async finish(): Promise<void> {
    this.#hurried = true;
    this.pump();
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
    this.#running += 1;
    const beganMs = performance.now();
    const error = await this.#destroy(job.sandbox);
    this.#running -= 1;
    this.#options.onSettled({ spec: job.spec, destroyMs: performance.now() - beganMs, error });
    if (this.size === 0) for (const resolve of this.#idle.splice(0)) resolve();
    this.pump();
  }

  /** The last error; undefined when it is gone. */
  async #destroy(sandbox: Sandbox): Promise<unknown> {
    for (let left = TRIES - 1; ; left -= 1) {
      try {
        await sandbox.destroy();
        return undefined;
      } catch (error) {
        if (left === 0) return error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}
