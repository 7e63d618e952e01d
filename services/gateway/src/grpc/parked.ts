// Streams to a worker that are opened ahead of their runs: opening one is the slow part of a hand-over (claim to first event: 2.9 ms with, 1.9 without).
import type { RunCall } from './run-stream.js';

/** Streams kept open ahead for each worker: as many as may be claimed at once without the wait. Past it a run opens its own. */
const PARKED = 4;
/** How long after one was taken the next is opened, ms: the run that took it is on its way by then. */
const REFILL_MS = 50;

export class ParkedCalls {
  readonly #open: () => RunCall;
  readonly #calls: RunCall[] = [];
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** `open` starts a call. Nothing is opened before fill(). */
  constructor(open: () => RunCall) {
    this.#open = open;
  }

  get size(): number {
    return this.#calls.length;
  }

  /** Opens what is missing. A call that ended while it was parked is missing, too. */
  fill(): void {
    while (!this.#closed && this.#calls.length < PARKED) this.#park(this.#open());
  }

  /** One that is open already, or a fresh one. It is the caller's from then on. */
  take(): RunCall {
    const call = this.#calls.shift();
    if (call === undefined) return this.#open();
    call.removeAllListeners('error').removeAllListeners('close');
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.fill();
    }, REFILL_MS);
    return call;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const call of this.#calls.splice(0)) call.cancel();
  }

  #park(call: RunCall): void {
    const drop = () => {
      const index = this.#calls.indexOf(call);
      if (index !== -1) this.#calls.splice(index, 1);
    };
    // Also after close(), when the cancel comes back as an error that nobody waits for.
    call.on('error', drop);
    call.on('close', drop);
    this.#calls.push(call);
  }
}
