// Progress messages on stderr: one line per step, with its duration when it is long.

/** Shorter steps are reported without their duration, ms. */
const MIN_REPORTED_MS = 1_000;
/** How often a long step reports that it is still running, ms. */
const STILL_MS = 20_000;

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Prints `doing …`, does it, prints how long it took. */
export async function step<T>(doing: string, work: () => Promise<T>): Promise<T> {
  say(`  ${doing} …`);
  const start = performance.now();
  const still = setInterval(() => say(`    still ${doing} (${seconds(start)} s)`), STILL_MS);
  try {
    return await work();
  } finally {
    clearInterval(still);
    if (performance.now() - start > MIN_REPORTED_MS) say(`    took ${seconds(start)} s`);
  }
}

function seconds(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(1);
}
