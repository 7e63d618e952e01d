// Assigns uids so that no two live sandboxes of an engine share one: the kernel counts some limits by uid, for the whole host.
import { EngineError } from '../run/ports.js';

interface UidRange {
  readonly base: number;
  readonly count: number;
  /** Number of uids of one worker: the range is divided into lanes of this size. */
  readonly lane: number;
}

export class UidSlots {
  readonly #range: UidRange;
  readonly #random: () => number;
  readonly #taken = new Set<number>();
  #lane: number;
  #next = 0;

  /** `random`: 0 up to 1, chooses among free lanes. */
  constructor(range: UidRange, random: () => number = Math.random) {
    this.#range = range;
    this.#random = random;
    this.#lane = this.#pick(new Set());
  }

  /** A free uid of the lane, the least recently used. Throws EngineError when all are taken. */
  take(): number {
    const { base, lane } = this.#range;
    const size = Math.min(lane, this.#range.count);
    for (let tries = 0; tries < size; tries += 1) {
      const uid = base + this.#lane * size + this.#next;
      this.#next = (this.#next + 1) % size;
      if (!this.#taken.has(uid)) {
        this.#taken.add(uid);
        return uid;
      }
    }
    throw new EngineError(`all ${size} sandbox uids are in use`, { retryable: true });
  }

  release(uid: number): void {
    this.#taken.delete(uid);
  }

  /**
   * Moves to a free lane when another worker on the engine uses this one. Live sandboxes keep their uids.
   * `yields`: the other worker is the one to move, so that the two do not both move forever.
   */
  meet(others: readonly { uid: number; yields: boolean }[]): void {
    const used = new Set(others.map(({ uid }) => this.#laneOf(uid)));
    const contested = others.some(({ uid, yields }) => !yields && this.#laneOf(uid) === this.#lane);
    if (!contested) return;
    this.#lane = this.#pick(used);
    this.#next = 0;
  }

  /** An unused lane; where there is none, any. */
  #pick(used: ReadonlySet<number>): number {
    const { count, lane } = this.#range;
    const all = Array.from({ length: Math.max(1, Math.floor(count / lane)) }, (_, index) => index);
    const free = all.filter((index) => !used.has(index));
    const from = free.length > 0 ? free : all;
    return from[Math.floor(this.#random() * from.length)] ?? 0;
  }

  #laneOf(uid: number): number {
    return Math.floor((uid - this.#range.base) / Math.min(this.#range.lane, this.#range.count));
  }
}
