// A token bucket and an exponential back-off, both on a clock that the caller reads.

/** Allows `perSecond` on average and `burst` at once. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(rate: { perSecond: number; burst: number; nowMs: number }) {
    this.#perMs = rate.perSecond / 1000;
    this.#burst = rate.burst;
    this.#tokens = rate.burst;
    this.#atMs = rate.nowMs;
  }

  /** Whole tokens now, and when there is one. */
  look(nowMs: number): { tokens: number; nextMs: number } {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    const missing = Math.max(0, 1 - this.#tokens);
    return { tokens: Math.floor(this.#tokens), nextMs: Math.ceil(nowMs + missing / this.#perMs) };
  }

  take(): void {
    this.#tokens -= 1;
  }
}

/** Pause after the `failures`-th failure in a row (from 1): doubles up to the longest, less up to half of it by `random` (0..1). */
export function backoffPauseMs(failures: number, pause: { first: number; longest: number; random: number }): number {
  const full = Math.min(pause.longest, pause.first * 2 ** Math.min(30, failures - 1));
  return full * (1 - pause.random / 2);
}
