// Rolling restart, short: all services are replaced once.
import { test } from 'vitest';
import { rollingRestart } from './rolling-restart.js';
import { seedOf } from './settings.js';

test('replacing every gateway and worker under load loses no run', { timeout: 240_000 }, async () => {
  await rollingRestart({ rounds: 1, seed: seedOf(3), visitors: 4 });
});
