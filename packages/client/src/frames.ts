// The events of a run: the server's frames about it, and three of the client's own. Imports types of proto, and none of its code.
import type { ServerEvents, ServerFrame } from '@rungrid/proto/frames';

/** A frame about one run (PROTOCOL.md, Server events). */
export type RunFrame = Extract<
  ServerFrame,
  { event: 'queued' | 'resumed' | 'started' | 'compile' | 'stdout' | 'stderr' | 'exit' | 'error' }
>;

/** The connection was lost under a started run. `resumed`, `lost` or `error` follows. */
export interface InterruptedEvent {
  readonly event: 'interrupted';
  /** `resume_ms`: how long the run can be resumed, ms. */
  readonly data: { readonly resume_ms: number };
}

/** Output was lost for good: the server no longer holds the events after `after` and before `replay_from` (both `seq`). The run goes on. */
export interface GapEvent {
  readonly event: 'gap';
  readonly data: { readonly after: number; readonly replay_from: number };
}

/** The run's end is unknown: it was never sent, or its connection was lost and it could not be resumed. */
export interface LostEvent {
  readonly event: 'lost';
  /** `message`: why, for people. */
  readonly data: { readonly message: string };
}

/** What a run yields, in order. The last one is a `RunEnd`. */
export type RunEvent = RunFrame | InterruptedEvent | GapEvent | LostEvent;

/** How a run ended: by the program (`exit`), by a refusal or a failure (`error`), or unknown (`lost`). */
export type RunEnd = Extract<RunFrame, { event: 'exit' | 'error' }> | LostEvent;

/** A server frame of a WebSocket message. Undefined for what is not one: it is skipped, as unknown events are. */
export function parseFrame(message: unknown): ServerFrame | undefined {
  if (typeof message !== 'string') return undefined;
  try {
    const frame = JSON.parse(message) as Partial<ServerFrame> | null;
    return typeof frame?.event === 'string' ? (frame as ServerFrame) : undefined;
  } catch {
    return undefined;
  }
}

/** Errors about one frame of an accepted run, after which the run goes on. */
const PASSING: ReadonlySet<string> = new Set(['invalid_frame', 'no_such_run', 'unknown_event', 'run_in_progress']);

/** Whether an `error` leaves its run alive. `accepted`: `queued` or `resumed` came; before it, an error is the answer to the request. */
export function isPassing({ code }: ServerEvents['error'], accepted: boolean): boolean {
  return code === 'stdin_full' || (accepted && PASSING.has(code));
}

/** Answers to `resume` that are about the gateway and not about the run: the client asks again. */
const ASK_AGAIN: ReadonlySet<string> = new Set([
  'unavailable',
  'draining',
  'overloaded',
  'rate_limited',
  'too_many_runs',
]);

/** Whether a `resume` that was answered with this error may succeed a little later. */
export function isResumeRetryable({ code }: ServerEvents['error']): boolean {
  return ASK_AGAIN.has(code);
}
