// Waiting by predicate: the only way in which a test lets time pass.
import { setTimeout as delay } from 'node:timers/promises';

/** Resolves when `probe` is true; rejects after `timeoutMs` (default 10000), naming what was awaited. */
export async function until(
  probe: () => boolean | Promise<boolean>,
  options: { readonly what: string; readonly timeoutMs?: number },
): Promise<void> {
  const { what, timeoutMs = 10_000 } = options;
  const deadline = performance.now() + timeoutMs;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await delay(20);
  }
}
