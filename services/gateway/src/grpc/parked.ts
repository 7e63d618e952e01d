// Streams to a worker that are opened ahead of their runs: the worker puts a run on one as soon as it has claimed it, without a handoff.
import type { StatusObject } from '@grpc/grpc-js';
import type { Assigned, RunEvent } from '@rungrid/proto/gen/rungrid/v1/runner';
import type { RunCall } from './run-stream.js';

/** Streams kept open ahead for each worker: as many runs as may be claimed at once without the wait for an attach. */
const PARKED = 8;
/** How long after one was taken the next is opened, ms: the run that took it is on its way by then. */
const REFILL_MS = 50;

export interface ParkedOptions {
  readonly gatewayId: string;
  /** Starts a call. Nothing is opened before fill(). */
  readonly open: () => RunCall;
  /** The worker has put a run on a stream, which is the callee's from then on. In this turn it must listen to the stream. */
  readonly onAssigned: (assigned: Assigned, stream: { readonly call: RunCall; readonly first: RunEvent }) => void;
  /** A stream has ended while it was parked. */
  readonly onLost: (status: StatusObject) => void;
}

export class ParkedCalls {
  readonly #options: ParkedOptions;
  readonly #calls = new Set<RunCall>();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: ParkedOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#calls.size;
  }

  /** Opens what is missing. A call that ended while it was parked is missing, too. */
  fill(): void {
    while (!this.#closed && this.#calls.size < PARKED) this.#park(this.#options.open());
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const call of this.#calls) call.cancel();
    this.#calls.clear();
  }

  #park(call: RunCall): void {
    const onFirst = (first: RunEvent) => {
      call.off('data', onFirst);
      call.off('status', onLost);
      // After close() nothing of it is wanted; the worker finds its stream closed.
      if (!this.#calls.delete(call) || this.#closed) return;
      this.#refillSoon();
      if (first.assigned !== undefined) this.#options.onAssigned(first.assigned, { call, first });
      else call.cancel();
    };
    const onLost = (status: StatusObject) => {
      if (this.#calls.delete(call)) this.#options.onLost(status);
    };
    call.on('data', onFirst);
    call.on('status', onLost);
    call.write({ input: { $case: 'park', value: { gatewayId: this.#options.gatewayId } } });
    this.#calls.add(call);
  }

  #refillSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.fill();
    }, REFILL_MS);
  }
}
