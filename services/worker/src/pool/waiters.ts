// Callers that wait in line, each until it is served or refused, or its signal aborts.

interface Waiter<T> {
  readonly resolve: (value: T) => void;
  readonly reject: (error: unknown) => void;
  /** Takes it out of the line. */
  readonly leave: () => void;
}

export class Waiters<T> {
  /** In order of arrival. */
  readonly #line = new Set<Waiter<T>>();

  get size(): number {
    return this.#line.size;
  }

  /** Settles with serve() or refuse(); rejects with the signal's reason. */
  wait(signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const abort = (): void => {
        this.#line.delete(waiter);
        reject(signal.reason as Error);
      };
      const leave = (): void => {
        this.#line.delete(waiter);
        signal.removeEventListener('abort', abort);
      };
      const waiter = { resolve, reject, leave };
      signal.addEventListener('abort', abort, { once: true });
      this.#line.add(waiter);
    });
  }

  /** Serves the first in line. false: there is none. */
  serve(value: T): boolean {
    const [first] = this.#line;
    first?.leave();
    first?.resolve(value);
    return first !== undefined;
  }

  refuse(error: unknown): void {
    for (const waiter of this.#line) {
      waiter.leave();
      waiter.reject(error);
    }
  }
}
