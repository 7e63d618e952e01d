// Those who wait until the pool could serve one more run of a language.

interface Waiter {
  readonly language: string;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** One entry per call that waits: one puller a language. */
export class CapacityWaiters {
  #waiters: Waiter[] = [];

  /** Settles with wake(); rejects with the signal's reason or refuse()'s error. */
  wait(language: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(signal.reason);
      };
      const stay = (): void => signal.removeEventListener('abort', leave);
      const waiter: Waiter = {
        language,
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

  /** Tells those whose language has capacity. */
  wake(hasCapacity: (language: string) => boolean): void {
    const still: Waiter[] = [];
    const served: Waiter[] = [];
    for (const waiter of this.#waiters) (hasCapacity(waiter.language) ? served : still).push(waiter);
    this.#waiters = still;
    for (const waiter of served) waiter.resolve();
  }

  refuse(error: unknown): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(error);
  }

  /** The languages that somebody waits for. */
  languages(): string[] {
    return this.#waiters.map((waiter) => waiter.language);
  }
}
