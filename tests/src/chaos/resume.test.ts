// Resume, short: a program survives the death of its gateway in the middle of its output.
import { test } from 'vitest';
import { resumesAfterKill } from './resume-after-kill.js';
import { seedOf } from './settings.js';

test('a run that is to be kept goes on unbroken on another gateway, 5 kills of 5', { timeout: 120_000 }, async () => {
  await resumesAfterKill({ kills: 5, seed: seedOf(2) });
});
