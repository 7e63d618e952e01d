// Pauses reading a sandbox's output, so that its program blocks in write(2): while its subscriber is congested, and while it is over budget.
import type { TokenBucket } from '@rungrid/kit/token-bucket';
import { OutputBudget } from './budget.js';
import type { Sandbox } from '../run/ports.js';

/** The only caller of a run's pause() and resume(): either reason pauses, and neither undoes the other. */
export class OutputThrottle {
  readonly #budget: OutputBudget;
  #sandbox: Pick<Sandbox, 'pause' | 'resume'> | undefined;
  #held = false;
  #timer: NodeJS.Timeout | undefined;

  /** `shared`: the budget of all runs, a bucket of bytes. */
  constructor(shared: TokenBucket) {
    this.#budget = new OutputBudget(shared);
  }

  /** The sandbox to throttle from now on. */
  bind(sandbox: Pick<Sandbox, 'pause' | 'resume'>): void {
    this.#sandbox = sandbox;
  }

  /** true: its events are not taken; false: they are again. */
  hold(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    if (held) this.#sandbox?.pause();
    else if (this.#timer === undefined) this.#sandbox?.resume();
  }

  /** Charges `bytes` that were read; over budget, reading pauses until they are paid. */
  consume(bytes: number): void {
    const waitMs = this.#budget.consume(bytes, performance.now());
    if (waitMs === 0 || this.#sandbox === undefined || this.#timer !== undefined) return;
    this.#sandbox.pause();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#held) this.#sandbox?.resume();
    }, waitMs);
  }

  /** The sandbox is released: it is not paused or resumed any more. */
  release(): void {
    clearTimeout(this.#timer);
    this.#sandbox = undefined;
  }
}
