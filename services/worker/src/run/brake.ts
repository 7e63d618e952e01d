// When a sandbox's output is not read, so that its program waits in write(2): while its events find nobody to take them, and while other floods have their turn.
import type { TokenBucket } from '@rungrid/kit/token-bucket';
import { OutputAccount } from './output-pace.js';
import type { Sandbox } from './ports.js';

/** A run's one hand on pause() and resume(): either reason holds, and neither undoes the other. */
export class Brake {
  readonly #account: OutputAccount;
  #sandbox: Pick<Sandbox, 'pause' | 'resume'> | undefined;
  #held = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(pace: TokenBucket) {
    this.#account = new OutputAccount(pace);
  }

  /** What is held from now on. */
  on(sandbox: Pick<Sandbox, 'pause' | 'resume'>): void {
    this.#sandbox = sandbox;
  }

  /** Its events wait for somebody, or no longer. */
  hold(held: boolean): void {
    if (this.#held === held) return;
    this.#held = held;
    if (held) this.#sandbox?.pause();
    else if (this.#timer === undefined) this.#sandbox?.resume();
  }

  /** Notes `bytes` that were read. */
  spent(bytes: number): void {
    const waitMs = this.#account.spend(bytes, performance.now());
    if (waitMs === 0 || this.#sandbox === undefined || this.#timer !== undefined) return;
    this.#sandbox.pause();
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      if (!this.#held) this.#sandbox?.resume();
    }, waitMs);
  }

  /** Lets go of the sandbox: it is given back, and its reading is no more this run's. */
  release(): void {
    clearTimeout(this.#timer);
    this.#sandbox = undefined;
  }
}
