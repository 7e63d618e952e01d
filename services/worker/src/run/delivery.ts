// Delivery of a run's events to the one who is attached, from the ring, at the speed at which they are taken.
import { type EventSink, isTerminal, type RunEvent } from './events.js';
import { EventRing } from './ring.js';

export interface DeliveryOptions {
  readonly ringBytes: number;
  /** true: nobody takes events and as much waits as may, so the program is held; false: it may go on. */
  readonly onHold: (held: boolean) => void;
  /** The terminal event was taken. */
  readonly onDelivered: () => void;
}

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #ring: EventRing;
  #sink: EventSink | undefined;
  #sentSeq = 0;
  #congested = false;
  #held = false;
  #over = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#ring = new EventRing(options.ringBytes);
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
    return this.#over && seq >= this.#ring.lastSeq;
  }

  add(event: RunEvent): void {
    this.#ring.add(event);
    this.#over = isTerminal(event);
    this.#pump();
  }

  stdinConsumed(bytes: number): void {
    if (bytes > 0) this.#sink?.stdinConsumed(bytes);
  }

  /** Sends from `afterSeq` on to `sink`; whoever was attached is told that he is not any more. */
  attach(sink: EventSink, afterSeq: number): void {
    this.#sink?.end('taken_over');
    this.#sink = sink;
    this.#congested = false;
    this.#sentSeq = Math.min(afterSeq, this.#ring.lastSeq);
    this.#pump();
  }

  /** The sink has gone. A sink that was taken over changes nothing. */
  detach(sink: EventSink): void {
    if (this.#sink !== sink) return;
    this.#sink = undefined;
    this.#congested = false;
  }

  /** The sink takes events again. */
  resume(sink: EventSink): void {
    if (this.#sink !== sink) return;
    this.#congested = false;
    this.#pump();
  }

  #pump(): void {
    while (this.#sink !== undefined && !this.#congested) {
      const next = this.#ring.after(this.#sentSeq);
      if (next === undefined) break;
      if (next === 'gap') {
        const sink = this.#sink;
        this.#sink = undefined;
        sink.end('gap');
        break;
      }
      this.#sentSeq = next.seq;
      this.#congested = !this.#sink.event(next.seq, next.event);
      if (isTerminal(next.event)) {
        this.#sink.end('done');
        this.#sink = undefined;
        this.#options.onDelivered();
      }
    }
    // While nobody is attached, what was sent may have been lost on its way: it is kept, and the program held rather.
    if (this.#sink !== undefined) this.#ring.trim(this.#sentSeq);
    const held = this.#congested || this.#ring.full;
    if (held === this.#held) return;
    this.#held = held;
    this.#options.onHold(held);
  }
}
