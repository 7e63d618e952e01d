// A semaphore with a bounded queue: how many compile steps run at once, and how many wait.

interface Waiter {
  readonly enter: () => void;
}

export class Slots {
  readonly #limits: { readonly atOnce: number; readonly waiting: number };
  readonly #waiters: Waiter[] = [];
  #taken = 0;

  constructor(limits: { atOnce: number; waiting: number }) {
    this.#limits = limits;
  }

  /**
   * Runs `work` as soon as a slot is free. Returns undefined without running it when too many are waiting. Rejects with the signal's
   * reason when that aborts the wait, and as `work` does.
   */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T | undefined> {
    if (this.#taken >= this.#limits.atOnce) {
      if (this.#waiters.length >= this.#limits.waiting) return undefined;
      await this.#turn(signal);
    } else {
      this.#taken += 1;
    }
    try {
      return await work();
    } finally {
      const next = this.#waiters.shift();
      // The slot passes to the waiter at the head of the queue.
      if (next === undefined) this.#taken -= 1;
      else next.enter();
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        reject(signal.reason as Error);
      };
      const waiter: Waiter = {
        enter: () => {
          signal.removeEventListener('abort', leave);
          resolve();
        },
      };
      if (signal.aborted) return reject(signal.reason as Error);
      signal.addEventListener('abort', leave, { once: true });
      this.#waiters.push(waiter);
    });
  }
}
