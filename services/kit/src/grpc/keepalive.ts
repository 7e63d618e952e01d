// Pings over an HTTP/2 session: a peer that has vanished without a word is known, and its session ended.
import type { Http2Session } from 'node:http2';

export interface KeepAliveTiming {
  /** How often the peer is asked, ms. */
  readonly intervalMs: number;
  /** How long its answer may take, ms. */
  readonly timeoutMs: number;
}

/** A dead peer is known within 15 s, also while nothing else is said. */
export const KEEPALIVE: KeepAliveTiming = { intervalMs: 10_000, timeoutMs: 5_000 };

/** Asks until the session closes; ends it when no answer comes. */
export function keepAlive(session: Http2Session, timing: KeepAliveTiming): void {
  let waiting: NodeJS.Timeout | undefined;
  const interval = setInterval(() => {
    if (waiting !== undefined || session.destroyed) return;
    waiting = setTimeout(() => session.destroy(new Error('the peer does not answer pings')), timing.timeoutMs);
    session.ping(() => {
      clearTimeout(waiting);
      waiting = undefined;
    });
  }, timing.intervalMs);
  session.once('close', () => {
    clearInterval(interval);
    clearTimeout(waiting);
  });
}
