// Who hears a run, and how long it goes on when nobody does: the wait for its gateway, and the window in which a client may come back.
import { Delivery } from './delivery.js';
import type { EventSink, RunEvent } from './events.js';

export interface AudienceOptions {
  readonly ringBytes: number;
  /** Whether a client that is lost may come back. */
  readonly keep: boolean;
  /** How long it waits for its gateway, and how long an end that nobody has heard is kept, ms. */
  readonly unattachedMs: number;
  /** How long a client that was lost may take to come back, ms. */
  readonly resumeMs: number;
  /** true: nobody takes events and as much waits as may, so the program is held; false: it may go on. */
  readonly onHold: (held: boolean) => void;
  /** Nobody listens any more: a run that has not ended is to end now. Called at most once. */
  readonly onDeserted: () => void;
  /** true: it goes on without anybody, for a client that may come back; false: somebody is there again. */
  readonly onAlone: (alone: boolean) => void;
  /** The end was heard, and is kept for a client that lost it on the way. */
  readonly onKept: () => void;
  /** Nobody will ask for anything of the run any more. Called once. */
  readonly onClosed: () => void;
}

export class Audience {
  readonly #options: AudienceOptions;
  readonly #delivery: Delivery;
  #keep: boolean;
  #heard = false;
  #alone = false;
  #deserted = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AudienceOptions) {
    this.#options = options;
    this.#keep = options.keep;
    this.#delivery = new Delivery({
      ringBytes: options.ringBytes,
      onHold: options.onHold,
      onDelivered: () => this.#delivered(),
    });
    this.#wait(options.unattachedMs);
  }

  get attached(): boolean {
    return this.#delivery.attached;
  }

  /** seq of the oldest event that is held, or of the next one. */
  get firstSeq(): number {
    return this.#delivery.firstSeq;
  }

  /** Whether the event `seq` is the run's last one. */
  isLast(seq: number): boolean {
    return this.#delivery.isLast(seq);
  }

  add(event: RunEvent): void {
    this.#delivery.add(event);
  }

  stdinConsumed(bytes: number): void {
    this.#delivery.stdinConsumed(bytes);
  }

  /** Sends the events after `afterSeq` to `sink`, and what comes. */
  attach(sink: EventSink, afterSeq: number): void {
    // An end that is kept is kept no longer for having been asked for.
    if (!this.#heard) clearTimeout(this.#timer);
    this.#setAlone(false);
    this.#delivery.attach(sink, afterSeq);
    if (!this.#delivery.attached && !this.#heard) this.#wait(this.#patienceMs);
  }

  resume(sink: EventSink): void {
    this.#delivery.resume(sink);
  }

  /** The sink takes nothing any more, for a reason of its own. One that was taken over changes nothing. */
  detach(sink: EventSink): void {
    this.#delivery.detach(sink);
    if (this.#delivery.attached || this.#heard || this.#closed) return;
    this.#setAlone(this.#keep);
    this.#wait(this.#patienceMs);
  }

  /** Ends the wait for a client that may come back. */
  expire(): void {
    this.#desert();
    this.close();
  }

  /** Whoever was attached is about to go: a client may come back, whatever was said of it. */
  keepForResume(): void {
    this.#keep = true;
  }

  /** Whoever was attached has gone without a word. */
  lost(): void {
    if (!this.#keep && !this.#delivery.attached && !this.#closed) this.#desert();
  }

  /** Forgets everything. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#options.onClosed();
  }

  get #patienceMs(): number {
    return this.#keep ? this.#options.resumeMs : this.#options.unattachedMs;
  }

  #delivered(): void {
    if (!this.#keep) return this.close();
    if (this.#heard) return;
    this.#heard = true;
    this.#wait(this.#options.resumeMs);
    this.#options.onKept();
  }

  #setAlone(alone: boolean): void {
    if (this.#alone === alone) return;
    this.#alone = alone;
    this.#options.onAlone(alone);
  }

  #desert(): void {
    if (this.#deserted) return;
    this.#deserted = true;
    this.#options.onDeserted();
  }

  #wait(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#heard) this.#desert();
      this.close();
    }, ms);
  }
}
