// The events of one run, numbered from 1, bounded in bytes: what came before an attach, and what a resume may request again.
import type { RunEvent } from '../run/events.js';

/** Counted for each event on top of its output. */
const EVENT_OVERHEAD_BYTES = 64;

export class EventRing {
  readonly #capacityBytes: number;
  #events: { readonly seq: number; readonly event: RunEvent; readonly bytes: number }[] = [];
  #bytes = 0;
  #lastSeq = 0;

  /** `capacityBytes`: how much is kept after delivery, and how much may wait undelivered before the program is paused. */
  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes;
  }

  get lastSeq(): number {
    return this.#lastSeq;
  }

  /** Number of the oldest event that is held, or of the next one. */
  get firstSeq(): number {
    return this.#events[0]?.seq ?? this.#lastSeq + 1;
  }

  /** Whether the capacity is used up. */
  get full(): boolean {
    return this.#bytes >= this.#capacityBytes;
  }

  /** Numbers and keeps an event. */
  add(event: RunEvent): number {
    const bytes = EVENT_OVERHEAD_BYTES + ('bytes' in event ? event.bytes.length : 0);
    this.#events.push({ seq: ++this.#lastSeq, event, bytes });
    this.#bytes += bytes;
    return this.#lastSeq;
  }

  /** Drops the oldest events, but none after `seenSeq`, until the rest fits. */
  trim(seenSeq: number): void {
    let drop = 0;
    while (
      this.full &&
      drop < this.#events.length &&
      (this.#events[drop]?.seq ?? Number.POSITIVE_INFINITY) <= seenSeq
    ) {
      this.#bytes -= this.#events[drop]?.bytes ?? 0;
      drop++;
    }
    if (drop > 0) this.#events = this.#events.slice(drop);
  }

  /** The event that follows `seq`: undefined when there is none yet, 'gap' when it is no longer held. */
  after(seq: number): { readonly seq: number; readonly event: RunEvent } | 'gap' | undefined {
    if (seq >= this.#lastSeq) return undefined;
    if (seq + 1 < this.firstSeq) return 'gap';
    return this.#events[seq + 1 - this.firstSeq];
  }
}
