// Token buckets: how often something may happen, for one thing or for many named ones in bounded memory.
import { LRUCache } from 'lru-cache';

export interface BucketOptions {
  /** How many may happen at once, after a quiet time. */
  readonly capacity: number;
  /** How many a second in the long run. */
  readonly perSecond: number;
}

export class TokenBucket {
  readonly #options: BucketOptions;
  #tokens: number;
  #atMs: number;

  constructor(options: BucketOptions, nowMs: number) {
    this.#options = options;
    this.#tokens = options.capacity;
    this.#atMs = nowMs;
  }

  /** Takes one token. Returns 0, or how long to wait for the next one, ms. */
  take(nowMs: number): number {
    this.#refill(nowMs);
    if (this.#tokens >= 1) {
      this.#tokens -= 1;
      return 0;
    }
    return Math.max(1, this.#waitMs(1 - this.#tokens));
  }

  /** Takes `amount`, on credit where tokens are missing. Returns how long to wait until the debt is paid, ms; 0: none. */
  consumeOver(amount: number, nowMs: number): number {
    this.#refill(nowMs);
    this.#tokens -= amount;
    return this.#tokens >= 0 ? 0 : this.#waitMs(-this.#tokens);
  }

  /** Takes `amount` as far as there are tokens. Returns the rest. */
  takeSome(amount: number, nowMs: number): number {
    this.#refill(nowMs);
    const taken = Math.min(amount, Math.max(0, this.#tokens));
    this.#tokens -= taken;
    return amount - taken;
  }

  /** Whole tokens now, and when there is one, by the clock of `nowMs`. */
  look(nowMs: number): { tokens: number; nextMs: number } {
    this.#refill(nowMs);
    return { tokens: Math.floor(this.#tokens), nextMs: nowMs + this.#waitMs(Math.max(0, 1 - this.#tokens)) };
  }

  /** A clock that steps back costs nothing. */
  #refill(nowMs: number): void {
    const { capacity, perSecond } = this.#options;
    const passedMs = Math.max(0, nowMs - this.#atMs);
    this.#tokens = Math.min(capacity, this.#tokens + (passedMs * perSecond) / 1000);
    this.#atMs = nowMs;
  }

  #waitMs(missing: number): number {
    return Math.ceil((missing * 1000) / this.#options.perSecond);
  }
}

export interface BucketMapOptions extends BucketOptions {
  /** Most names remembered. Past it the one unused for longest is forgotten, and starts full again. */
  readonly maxNames: number;
}

export class BucketMap {
  readonly #options: BucketMapOptions;
  readonly #buckets: LRUCache<string, TokenBucket>;

  constructor(options: BucketMapOptions) {
    this.#options = options;
    this.#buckets = new LRUCache({ max: options.maxNames });
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token of `name`. Returns 0, or how long to wait for the next one, ms. */
  take(name: string, nowMs: number): number {
    let bucket = this.#buckets.get(name);
    if (bucket === undefined) this.#buckets.set(name, (bucket = new TokenBucket(this.#options, nowMs)));
    return bucket.take(nowMs);
  }
}
