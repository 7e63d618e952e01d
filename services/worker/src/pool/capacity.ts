// Callers that wait until the pool has capacity for one more sandbox of a pool key.

interface Waiter {
  readonly poolKey: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One entry per waiting call: one puller per language. */
export class CapacityWaiters {
  #waiters: Waiter[] = [];

  /** Settles with wake(); rejects with the signal's reason or refuse()'s error. */
  wait(poolKey: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(signal.reason);
      };
      const stay = (): void => signal.removeEventListener('abort', leave);
      const waiter: Waiter = {
        poolKey,
        resolve: () => {
          stay();
          resolve();
        },
        reject: (error) => {
          stay();
          reject(error);
        },
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#waiters.push(waiter);
    });
  }

  /** Resolves the waiters whose pool key has capacity. */
  wake(hasCapacity: (poolKey: string) => boolean): void {
    const still: Waiter[] = [];
    const ready: Waiter[] = [];
    for (const waiter of this.#waiters) (hasCapacity(waiter.poolKey) ? ready : still).push(waiter);
    this.#waiters = still;
    for (const waiter of ready) waiter.resolve();
  }

  refuse(error: unknown): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  /** The pool keys with waiters. */
  poolKeys(): string[] {
    return this.#waiters.map((waiter) => waiter.poolKey);
  }
}
