// What a closed connection means: final, asleep until it is needed, or tried again after a growing, random pause.

/** Close codes after which connecting again ends the same way (PROTOCOL.md, Close codes: reconnect "no"). */
export const FINAL_CLOSES: readonly number[] = [4400, 4401, 4403, 4413];
/** Closed for want of use: connecting again makes sense once there is something to send. */
const IDLE_CLOSE = 4409;

/** Pause before the first attempt, and the longest one, ms. Half of each is random, so that clients of a lost gateway spread out. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;

/** How a connection ended, as WebSocket's `close` event has it; 1006 without a close frame. */
export interface CloseDetails {
  readonly code: number;
  readonly reason: string;
}

export type AfterClose =
  | { readonly kind: 'closed' }
  | { readonly kind: 'asleep' }
  | { readonly kind: 'retry'; readonly delayMs: number };

/**
 * Decides what follows a close.
 * @param options.attempt attempts since the last stable connection, from 0
 * @param options.askedMs pause that a draining server asked for, ms
 * @param options.random 0 to 1
 */
export function afterClose(
  code: number,
  { attempt, askedMs, random }: { attempt: number; askedMs: number; random: number },
): AfterClose {
  if (FINAL_CLOSES.includes(code)) return { kind: 'closed' };
  if (code === IDLE_CLOSE) return { kind: 'asleep' };
  const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** attempt);
  return { kind: 'retry', delayMs: Math.round(askedMs + pauseMs * (0.5 + random / 2)) };
}
