// Hands out uids so that no two live sandboxes of an engine share one: limits that the kernel counts by uid are counted for the whole host.
import { EngineError } from '../run/ports.js';

interface UidRange {
  readonly base: number;
  readonly count: number;
  /** Uids of one worker: the range is cut into lanes of so many. */
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
   * Told which uids others on the engine have: leaves a lane that is not this worker's alone. Sandboxes that live keep theirs.
   * `yields`: stay when the other is to go, so that two do not both move for ever.
   */
  meet(others: readonly { uid: number; yields: boolean }[]): void {
    const used = new Set(others.map(({ uid }) => this.#laneOf(uid)));
    const contested = others.some(({ uid, yields }) => !yields && this.#laneOf(uid) === this.#lane);
    if (!contested) return;
    this.#lane = this.#pick(used);
    this.#next = 0;
  }

  /** One that nobody uses; where there is none, any. */
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
