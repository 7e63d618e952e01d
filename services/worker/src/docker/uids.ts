// Hands out uids so that no two live sandboxes share one.
import { EngineError } from '../run/ports.js';

export class UidSlots {
  readonly #base: number;
  readonly #count: number;
  readonly #taken = new Set<number>();
  #next: number;

  /** `first` (any integer) is where to begin, so that workers on one node rarely meet. */
  constructor(range: { base: number; count: number; first: number }) {
    this.#base = range.base;
    this.#count = range.count;
    this.#next = range.first % range.count;
  }

  /** A free uid, the least recently used of the range. Throws EngineError when all are taken. */
  take(): number {
    for (let tries = 0; tries < this.#count; tries += 1) {
      const uid = this.#base + this.#next;
      this.#next = (this.#next + 1) % this.#count;
      if (!this.#taken.has(uid)) {
        this.#taken.add(uid);
        return uid;
      }
    }
    throw new EngineError(`all ${this.#count} sandbox uids are in use`, { retryable: true });
  }

  release(uid: number): void {
    this.#taken.delete(uid);
  }
}
