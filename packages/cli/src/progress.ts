// Progress for people, on stderr: one line a step, with its time when it took a while.

/** Steps quicker than this are not worth their time, seconds. */
const WORTH_TELLING_S = 1;
/** How often a long step says that it is still at it, ms: CI logs and people want to see life. */
const STILL_MS = 20_000;

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** Says `doing …`, does it, says how long it took. */
export async function step<T>(doing: string, work: () => Promise<T>): Promise<T> {
  say(`  ${doing} …`);
  const start = performance.now();
  const still = setInterval(() => say(`    still ${doing} (${seconds(start)} s)`), STILL_MS);
  try {
    return await work();
  } finally {
    clearInterval(still);
    if (performance.now() - start > WORTH_TELLING_S * 1000) say(`    took ${seconds(start)} s`);
  }
}

function seconds(start: number): string {
  return ((performance.now() - start) / 1000).toFixed(1);
}
