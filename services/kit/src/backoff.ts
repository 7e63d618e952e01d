// Exponential back-off with jitter.

/**
 * Pause before the next attempt after `failures` failures in a row (from 1), ms: doubles from `firstMs` to `longestMs`, less up to half of it by
 * `random` (0 to 1), so that many do not try at the same moment.
 */
export function backoffMs(
  failures: number,
  { firstMs, longestMs, random = Math.random() }: { firstMs: number; longestMs: number; random?: number },
): number {
  return Math.min(longestMs, firstMs * 2 ** Math.min(30, failures - 1)) * (1 - random / 2);
}
