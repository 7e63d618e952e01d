// Wall clock with microseconds, comparable between processes of one machine: for the time of each stage.

/**
 * Milliseconds since the Unix epoch, steady: a clock that is set forward or back after the process started does not move it, so that a jump
 * meets no deadline.
 */
export function steadyNowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** The same in microseconds. */
export function nowUs(): number {
  return Math.round(steadyNowMs() * 1000);
}
