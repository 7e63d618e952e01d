// A run's subscription: sends its events from the ring to the attached sink, and decides how long the run continues without one.
import { type EventSink, isTerminal, type RunEvent } from '../run/events.js';
import { EventRing } from './ring.js';

export interface SubscriptionOptions {
  readonly ringBytes: number;
  /** Whether a client that disconnects may resume. */
  readonly keep: boolean;
  /** How long a run waits for its gateway, and how long an undelivered end is kept, ms. */
  readonly unattachedMs: number;
  /** How long after a disconnect the client may resume, ms. */
  readonly resumeMs: number;
  /** true: events are not taken and the ring is full, so the program must pause; false: it may continue. */
  readonly onHold: (held: boolean) => void;
  /** The wait for a subscriber expired: a run that has not ended must end now. Called at most once. */
  readonly onExpired: () => void;
  /** true: the run continues without a subscriber, for a client that may resume; false: one attached again. */
  readonly onDetached: (detached: boolean) => void;
  /** The end was delivered, and is kept for a client that may have lost it in transit. */
  readonly onKept: () => void;
  /** Nothing of the run is needed any more. Called once. */
  readonly onClosed: () => void;
}

export class Subscription {
  readonly #options: SubscriptionOptions;
  readonly #ring: EventRing;
  #sink: EventSink | undefined;
  #sentSeq = 0;
  #congested = false;
  #held = false;
  /** The terminal event is in the ring. */
  #ended = false;
  /** The terminal event was delivered. */
  #delivered = false;
  #keep: boolean;
  #detached = false;
  #expired = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SubscriptionOptions) {
    this.#options = options;
    this.#keep = options.keep;
    this.#ring = new EventRing(options.ringBytes);
    this.#wait(options.unattachedMs);
  }

  get attached(): boolean {
    return this.#sink !== undefined;
  }

  /** seq of the oldest event that is held, or of the next one. */
  get firstSeq(): number {
    return this.#ring.firstSeq;
  }

  /** Whether the event `seq`, or one that would come after it, is the terminal one. */
  isLast(seq: number): boolean {
    return this.#ended && seq >= this.#ring.lastSeq;
  }

  add(event: RunEvent): void {
    this.#ring.add(event);
    this.#ended = isTerminal(event);
    this.#pump();
  }

  stdinConsumed(bytes: number): void {
    if (bytes > 0) this.#sink?.stdinConsumed(bytes);
  }

  /** Sends the events after `afterSeq` to `sink`, then new ones. A sink that was attached before is ended. */
  attach(sink: EventSink, afterSeq: number): void {
    // Requesting a kept end does not extend its time.
    if (!this.#delivered) clearTimeout(this.#timer);
    this.#setDetached(false);
    const previous = this.#sink;
    this.#sink = sink;
    this.#congested = false;
    this.#sentSeq = Math.min(afterSeq, this.#ring.lastSeq);
    previous?.end('taken_over');
    this.#pump();
    if (!this.attached && !this.#delivered) this.#wait(this.#patienceMs);
  }

  /** The sink takes events again. */
  resume(sink: EventSink): void {
    if (this.#sink !== sink) return;
    this.#congested = false;
    this.#pump();
  }

  /** The sink is closed. No effect for a sink that was taken over. */
  detach(sink: EventSink): void {
    if (this.#sink === sink) this.#sink = undefined;
    if (this.attached || this.#delivered || this.#closed) return;
    this.#congested = false;
    this.#setDetached(this.#keep);
    this.#wait(this.#patienceMs);
  }

  /** Ends the wait for a client that may resume. */
  expire(): void {
    this.#expire();
    this.close();
  }

  /** The gateway is about to close: its client may resume, whatever the run asked for. */
  keepForResume(): void {
    this.#keep = true;
  }

  /** The subscriber disconnected without announcing it. */
  lost(): void {
    if (!this.#keep && !this.attached && !this.#closed) this.#expire();
  }

  /** Drops everything. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#options.onClosed();
  }

  get #patienceMs(): number {
    return this.#keep ? this.#options.resumeMs : this.#options.unattachedMs;
  }

  #pump(): void {
    while (this.#sink !== undefined && !this.#congested) {
      const next = this.#ring.after(this.#sentSeq);
      if (next === undefined) break;
      if (next === 'gap') {
        this.#release('gap');
        break;
      }
      this.#sentSeq = next.seq;
      this.#congested = !this.#sink.event(next.seq, next.event);
      if (isTerminal(next.event)) this.#onDelivered();
    }
    // Without a subscriber, sent events may have been lost in transit: keep them, and pause the program instead.
    if (this.#sink !== undefined) this.#ring.trim(this.#sentSeq);
    const held = this.#congested || this.#ring.full;
    if (held === this.#held) return;
    this.#held = held;
    this.#options.onHold(held);
  }

  #onDelivered(): void {
    const first = !this.#delivered;
    this.#delivered = true;
    this.#release('done');
    if (!this.#keep) return this.close();
    if (!first) return;
    this.#wait(this.#options.resumeMs);
    this.#options.onKept();
  }

  #release(why: 'done' | 'gap'): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.end(why);
  }

  #setDetached(detached: boolean): void {
    if (this.#detached === detached) return;
    this.#detached = detached;
    this.#options.onDetached(detached);
  }

  #expire(): void {
    if (this.#expired) return;
    this.#expired = true;
    this.#options.onExpired();
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#delivered) this.#expire();
      this.close();
    }, ms);
  }
}
