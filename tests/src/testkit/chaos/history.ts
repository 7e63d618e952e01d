// What was seen of one run: the sockets that had a part in it, and every frame that came on each of them.
import type { RunFrame } from '../run-handle.js';
import type { Program } from './program.js';

/** One socket's part of a run. */
export interface Leg {
  /** The gateway that was asked, for people. */
  readonly gateway: string;
  /** The last seq that had been seen when `resume` was sent; undefined: the leg began with `run_code`. */
  readonly resumedAfter: number | undefined;
  /** Frames about the run, in the order in which they came. */
  readonly frames: readonly RunFrame[];
  /** Whether the socket ended before the run's terminal event came on it. */
  readonly lost: boolean;
}

export interface RunHistory {
  readonly program: Program;
  /** on_disconnect. */
  readonly keep: boolean;
  /** In the order of time. The first began with `run_code`. */
  readonly legs: readonly Leg[];
}

/** The error that a socket gets when another one takes its run over: the socket's end of it, not the run's. */
export const TAKEN_OVER = 'taken_over';
/** Answer to a resume that found a hole: the run goes on. */
export const RESUME_GAP = 'resume_gap';

/** The last seq of these frames, or `before` without any. */
export function lastSeq(frames: readonly RunFrame[], before: number): number {
  return frames.reduce((last, frame) => ('seq' in frame.data ? Math.max(last, frame.data.seq) : last), before);
}
