// Wall clock with microseconds, comparable between processes of one machine: for the time of each stage.

/**
 * Milliseconds since the Unix epoch by the clock at the process's start: what is set forward or back since then does not move it, so that no
 * deadline is met by a clock that jumped.
 */
export function steadyNowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** The same in microseconds. */
export function nowUs(): number {
  return Math.round(steadyNowMs() * 1000);
}
