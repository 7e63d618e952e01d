// Events that wait for their reader: an async iterator that pauses its source when the reader falls behind.
import type { RunEvent } from './frames.js';

/** Events that may wait before the source is paused: a megabyte of output at most. */
const PAUSE_ABOVE = 64;

export class EventQueue {
  /** Stops the source, and lets it go on. */
  readonly #pauseSource: (isPaused: boolean) => void;
  readonly #events: RunEvent[] = [];
  #wake: () => void = () => undefined;
  #isEnded = false;
  #isDropped = false;
  #isPaused = false;

  constructor(pauseSource: (isPaused: boolean) => void) {
    this.#pauseSource = pauseSource;
  }

  push(event: RunEvent): void {
    if (this.#isDropped) return;
    this.#events.push(event);
    if (this.#events.length > PAUSE_ABOVE && !this.#isEnded) this.#setPaused(true);
    this.#wake();
  }

  /** Nothing follows what was pushed. */
  end(): void {
    this.#isEnded = true;
    this.#setPaused(false);
    this.#wake();
  }

  /** The events up to the end. When the reader leaves, what is still to come is dropped, and holds nothing up. */
  async *read(): AsyncGenerator<RunEvent, undefined> {
    try {
      for (;;) {
        const event = this.#events.shift();
        if (this.#events.length <= PAUSE_ABOVE / 2) this.#setPaused(false);
        if (event !== undefined) yield event;
        else if (this.#isEnded) return undefined;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#isDropped = true;
      this.#setPaused(false);
    }
  }

  #setPaused(isPaused: boolean): void {
    if (this.#isPaused === isPaused) return;
    this.#isPaused = isPaused;
    this.#pauseSource(isPaused);
  }
}
