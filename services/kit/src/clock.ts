// Wall clock with microseconds, comparable between processes of one machine: for the time of each hop.

/** Microseconds since the Unix epoch. Not for durations across a clock step. */
export function nowUs(): number {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}
