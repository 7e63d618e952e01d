// Those who wait until the pool could serve one more sandbox of a shelf.

interface Waiter {
  readonly shelf: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One entry per call that waits: one puller a language. */
export class CapacityWaiters {
  #waiters: Waiter[] = [];

  /** Settles with wake(); rejects with the signal's reason or refuse()'s error. */
  wait(shelf: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(signal.reason);
      };
      const stay = (): void => signal.removeEventListener('abort', leave);
      const waiter: Waiter = {
        shelf,
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

  /** Tells those whose shelf has capacity. */
  wake(hasCapacity: (shelf: string) => boolean): void {
    const still: Waiter[] = [];
    const served: Waiter[] = [];
    for (const waiter of this.#waiters) (hasCapacity(waiter.shelf) ? served : still).push(waiter);
    this.#waiters = still;
    for (const waiter of served) waiter.resolve();
  }

  refuse(error: unknown): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  /** The shelves that somebody waits for. */
  shelves(): string[] {
    return this.#waiters.map((waiter) => waiter.shelf);
  }
}
