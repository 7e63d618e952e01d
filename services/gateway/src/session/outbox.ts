// One socket's output: bounded; reports when the client falls behind and when it has caught up.
import type { SessionSocket } from './types.js';

/** Unsent bytes at which a congested socket counts as caught up: one write of a kernel buffer or so. */
const LOW_WATER_BYTES = 65_536;

export interface OutboxOptions {
  readonly socket: SessionSocket;
  /** Unsent bytes past which the client counts as too slow. */
  readonly maxBytes: number;
  /** Something waits: the producers should pause. */
  readonly onCongested: () => void;
  /** What waited is nearly sent. */
  readonly onRelieved: () => void;
  /** The bound is passed, or a frame was dropped. Nothing more may be sent. */
  readonly onOverflow: () => void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #congestedSinceMs: number | undefined;
  #overflown = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  get congested(): boolean {
    return this.#congestedSinceMs !== undefined;
  }

  send(text: string): void {
    if (this.#overflown) return;
    const result = this.#options.socket.send(text);
    if (result === 1) return;
    if (result === 2 || this.#options.socket.bufferedBytes() > this.#options.maxBytes) {
      this.#overflown = true;
      this.#options.onOverflow();
    } else if (this.#congestedSinceMs === undefined) {
      this.#congestedSinceMs = performance.now();
      this.#options.onCongested();
    }
  }

  /** The socket has sent some of what waited. */
  drained(): void {
    if (this.#congestedSinceMs === undefined || this.#options.socket.bufferedBytes() > LOW_WATER_BYTES) return;
    this.#congestedSinceMs = undefined;
    this.#options.onRelieved();
  }

  /** How long the client has been behind, ms; 0 when it is not. */
  behindMs(): number {
    return this.#congestedSinceMs === undefined ? 0 : performance.now() - this.#congestedSinceMs;
  }
}
