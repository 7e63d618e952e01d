// Waiting by predicate: the only way in which a test lets time pass.
import { setTimeout as delay } from 'node:timers/promises';

export interface UntilOptions {
  /** What is awaited, for the message of a timeout. A function is called then. Default: the probe's source text. */
  readonly what?: string | (() => string);
  /** Default 20000: what takes a second may take ten beside other tests. */
  readonly timeoutMs?: number;
  /** Pause between two looks, ms. Default 15. */
  readonly everyMs?: number;
}

type Truthy<T> = Exclude<T, false | null | undefined | 0 | ''>;

/** Resolves with the first truthy value of `probe`; rejects after the timeout, naming what was awaited. */
export async function until<T>(probe: () => T | Promise<T>, options: UntilOptions = {}): Promise<Truthy<T>> {
  const { what = String(probe), timeoutMs = 20_000, everyMs = 15 } = options;
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value) return value as Truthy<T>;
    if (performance.now() > deadline) {
      throw new Error(`timed out after ${timeoutMs} ms waiting for ${typeof what === 'string' ? what : what()}`);
    }
    await delay(everyMs);
  }
}

/** Lets a fixed time pass: only where the rule under test is that nothing happens in it. */
export async function quietFor(timeMs: number): Promise<void> {
  await delay(timeMs);
}
