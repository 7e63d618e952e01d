// How fast floods of output are read: what a run writes past its own allowance is paid from one that all runs of a worker share.

/** What a run may write without paying, bytes: at once after a quiet time, and again in each second. Many times what a person reads. */
const OWN_BYTES = 65_536;

export interface PaceOptions {
  /** Of all floods together, in the long run. */
  readonly bytesPerSecond: number;
  /** Of all floods together, at once after a quiet time: one run alone is never held. */
  readonly burstBytes: number;
}

/** The allowance that runs share. Times are performance.now(), ms. */
export class OutputPace {
  readonly #options: PaceOptions;
  /** Below 0: what is still to be waited for. At most what is read at once of every run that writes. */
  #bytes: number;
  #atMs: number;

  constructor(options: PaceOptions, nowMs: number) {
    this.#options = options;
    this.#bytes = options.burstBytes;
    this.#atMs = nowMs;
  }

  /** Takes `bytes`. Returns for how long whoever wrote them is not read, ms; 0: he is. */
  take(bytes: number, nowMs: number): number {
    const { bytesPerSecond, burstBytes } = this.#options;
    this.#bytes = Math.min(burstBytes, this.#bytes + ((nowMs - this.#atMs) * bytesPerSecond) / 1000) - bytes;
    this.#atMs = nowMs;
    return this.#bytes >= 0 ? 0 : Math.ceil((-this.#bytes * 1000) / bytesPerSecond);
  }
}

/** One run's own allowance. */
export class OutputAccount {
  readonly #shared: OutputPace;
  #ownBytes = OWN_BYTES;
  #atMs = 0;

  constructor(shared: OutputPace) {
    this.#shared = shared;
  }

  /** Notes what the run wrote. Returns for how long it is not read, ms; 0: it is. */
  spend(bytes: number, nowMs: number): number {
    this.#ownBytes = Math.min(OWN_BYTES, this.#ownBytes + ((nowMs - this.#atMs) * OWN_BYTES) / 1000) - bytes;
    this.#atMs = nowMs;
    if (this.#ownBytes >= 0) return 0;
    const beyond = -this.#ownBytes;
    this.#ownBytes = 0;
    return this.#shared.take(beyond, nowMs);
  }
}
