// The output budget: what a run writes beyond its own allowance is charged to a budget that all runs of a worker share.
import { TokenBucket } from '@rungrid/kit/token-bucket';

/** A run's own allowance, bytes: a burst after a quiet time, and the rate per second. Many times what a person reads. */
const OWN = { capacity: 65_536, perSecond: 65_536 };

/** One run's budget: its own allowance, then the shared bucket of bytes. Times are performance.now(), ms. */
export class OutputBudget {
  readonly #own = new TokenBucket(OWN, 0);
  readonly #shared: TokenBucket;

  constructor(shared: TokenBucket) {
    this.#shared = shared;
  }

  /** Charges what the run wrote. Returns for how long to stop reading it, ms; 0: go on. */
  consume(bytes: number, nowMs: number): number {
    const beyond = this.#own.takeSome(bytes, nowMs);
    return beyond === 0 ? 0 : this.#shared.consumeOver(beyond, nowMs);
  }
}
