// All live sessions: counts them by address, checks their deadlines, drains and closes them.
import type { CloseName } from '@rungrid/proto/close-codes';
import { Session } from './session.js';
import type { Client, SessionDeps, SessionSocket } from './types.js';

const TICK_MS = 1000;
/** Clients reconnect at random times within this, ms, so that they do not all reconnect at once. */
const RECONNECT_SPREAD_MS = 3000;
const RECONNECT_MIN_MS = 250;
/** How often a drain checks which sockets are due, ms. */
const DRAIN_LOOK_MS = 20;

export interface SessionsOptions {
  readonly deps: SessionDeps;
  readonly maxSockets: number;
  readonly socketsPerAddress: number;
}

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #live = new Set<Session>();
  readonly #byAddress = new Map<string, number>();
  readonly #timer: NodeJS.Timeout;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  get size(): number {
    return this.#live.size;
  }

  /** Whether this address may open one more socket. */
  room(address: string): 'ok' | 'address_full' | 'all_full' {
    if (this.#live.size >= this.#options.maxSockets) return 'all_full';
    return (this.#byAddress.get(address) ?? 0) < this.#options.socketsPerAddress ? 'ok' : 'address_full';
  }

  /** The caller calls `closed` when the socket has closed. */
  open(client: Client, socket: SessionSocket): Session {
    this.#byAddress.set(client.address, (this.#byAddress.get(client.address) ?? 0) + 1);
    const session = new Session({ client, socket, deps: this.#options.deps });
    this.#live.add(session);
    return session;
  }

  closed(session: Session): void {
    if (!this.#live.delete(session)) return;
    session.disconnected();
    const left = (this.#byAddress.get(session.client.address) ?? 1) - 1;
    if (left > 0) this.#byAddress.set(session.client.address, left);
    else this.#byAddress.delete(session.client.address);
  }

  /**
   * Sends `draining` to all clients, each with a time of its own to reconnect after; then closes each socket with 1012 as soon as that time
   * has passed and no run would be lost by it. Returns after `timeoutMs` at most: some sockets may be open still.
   */
  async drain(timeoutMs: number): Promise<void> {
    const startMs = performance.now();
    const spreadMs = Math.min(RECONNECT_SPREAD_MS, Math.max(0, timeoutMs - RECONNECT_MIN_MS));
    const due = new Map<Session, number>();
    for (const session of this.#live) {
      const afterMs = RECONNECT_MIN_MS + Math.floor(Math.random() * spreadMs);
      due.set(session, startMs + afterMs);
      session.drain(afterMs);
    }
    while (this.#live.size > 0 && performance.now() < startMs + timeoutMs) {
      const nowMs = performance.now();
      for (const session of this.#live)
        if (nowMs >= (due.get(session) ?? startMs) && session.movable) session.close('restart');
      await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS));
    }
  }

  close(name: CloseName): void {
    clearInterval(this.#timer);
    // Closing one removes it from the set, which a Set's iteration allows.
    for (const session of this.#live) session.close(name);
  }

  #tick(): void {
    for (const session of this.#live) session.tick();
  }
}
