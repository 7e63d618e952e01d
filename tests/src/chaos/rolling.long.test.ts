// Rolling restart, long: all services are replaced ten times.
import { test } from 'vitest';
import { rollingRestart } from './rolling-restart.js';
import { seedOf } from './settings.js';

test('replacing every gateway and worker under load loses no run, ten times', { timeout: 1_800_000 }, async () => {
  await rollingRestart({ rounds: 10, seed: seedOf(Date.now()), visitors: 8 });
});
