// Chaos, short: every kind of fault under load, a seed that is printed, and a checker that finds nothing.
import { test } from 'vitest';
import { faultsUnderLoad } from './faults-under-load.js';
import { seedOf } from './settings.js';

/** Some faults of the plan: enough for the machinery, the long test has them all. */
const DURATION_MS = 40_000;

test('seeded faults under load break no promise, and leave nothing behind', { timeout: 360_000 }, async () => {
  await faultsUnderLoad({ seed: seedOf(1), durationMs: DURATION_MS, size: 2, visitors: 6, runs: 50 });
});
