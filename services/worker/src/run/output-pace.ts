// How fast floods of output are read: what a run writes past its own allowance is paid from one that all runs of a worker share.
import { TokenBucket } from '@rungrid/kit/token-bucket';

/** What a run may write without paying, bytes: at once after a quiet time, and again in each second. Many times what a person reads. */
const OWN = { capacity: 65_536, perSecond: 65_536 };

/** One run's account: its own allowance, then the shared one, a bucket of bytes. Times are performance.now(), ms. */
export class OutputAccount {
  readonly #own = new TokenBucket(OWN, 0);
  readonly #shared: TokenBucket;

  constructor(shared: TokenBucket) {
    this.#shared = shared;
  }

  /** Notes what the run wrote. Returns for how long it is not read, ms; 0: it is. */
  spend(bytes: number, nowMs: number): number {
    const beyond = this.#own.takeSome(bytes, nowMs);
    return beyond === 0 ? 0 : this.#shared.overdraw(beyond, nowMs);
  }
}
