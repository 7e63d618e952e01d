// Chaos, short: every kind of fault under load, a seed that is printed, and a checker that finds nothing.
import { test } from 'vitest';
import { faultsUnderLoad } from './faults-under-load.js';
import { seedOf } from './settings.js';

/** One of each sort: enough for the machinery, the long test has them all. */
const KINDS = [
  'gateway killed',
  'gateway drained',
  'gateway cut from Redis',
  'worker killed',
  'worker paused',
  'worker reset from gateways',
  'worker clock jumped',
  'Redis flushed',
  'Redis restarted with its data',
] as const;
/** About as long as each of them takes to come once at this pace, ms. */
const DURATION_MS = 20_000;
const PACE = 0.35;

test('seeded faults under load break no promise, and leave nothing behind', { timeout: 360_000 }, async () => {
  const shape = { size: 2, visitors: 6, runs: 50, kinds: KINDS, pace: PACE };
  await faultsUnderLoad({ seed: seedOf(1), durationMs: DURATION_MS, ...shape });
});
