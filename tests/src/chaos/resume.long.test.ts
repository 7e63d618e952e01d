// Resume, long: a hundred times a gateway dies in the middle of output.
import { test } from 'vitest';
import { resumesAfterKill } from './resume-after-kill.js';
import { seedOf } from './settings.js';

test('a run that is to be kept goes on unbroken, 100 kills of 100', { timeout: 1_800_000 }, async () => {
  await resumesAfterKill({ kills: 100, seed: seedOf(Date.now()) });
});
