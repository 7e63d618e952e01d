// A semaphore with a bounded queue: how many compile steps run at once, and how many wait.
import { Waiters } from '../pool/waiters.js';

export class Slots {
  readonly #limits: { readonly atOnce: number; readonly waiting: number };
  readonly #waiters = new Waiters<void>();
  #taken = 0;

  constructor(limits: { atOnce: number; waiting: number }) {
    this.#limits = limits;
  }

  /**
   * Runs `work` as soon as a slot is free. Returns undefined without running it when too many are waiting. Rejects with the signal's
   * reason when that aborts the wait, and as `work` does.
   */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    if (this.#taken < this.#limits.atOnce) this.#taken += 1;
    else if (this.#waiters.size >= this.#limits.waiting) return undefined;
    else await this.#waiters.wait(signal);
    try {
      return await work();
    } finally {
      // The slot passes to the first in line.
      if (!this.#waiters.serve()) this.#taken -= 1;
    }
  }
}
