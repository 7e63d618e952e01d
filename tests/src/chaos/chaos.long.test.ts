// Chaos, long: thirty minutes of every kind of fault against thousands of runs, and a checker that finds nothing.
import { test } from 'vitest';
import { faultsUnderLoad } from './faults-under-load.js';
import { durationMsOf, seedOf } from './settings.js';

const DURATION_MS = 1_800_000;
const RUNS = 5_000;
/** Beyond the faults: until the runs are there, and everything is given back. */
const REST_MS = 2_400_000;

const durationMs = durationMsOf(DURATION_MS);
const timeout = durationMs + REST_MS;

test('seeded faults of every kind break no promise in 5000 runs, and leave nothing behind', { timeout }, async () => {
  const runs = Math.round((RUNS * durationMs) / DURATION_MS);
  await faultsUnderLoad({ seed: seedOf(Date.now()), durationMs, size: 2, visitors: 12, runs });
});
