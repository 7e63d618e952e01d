// Redis loses everything, short: a few times.
import { test } from 'vitest';
import { redisLosesAll } from './redis-loss.js';
import { seedOf } from './settings.js';

test('Redis flushed under load: runs end truthfully, and runs work again soon', { timeout: 180_000 }, async () => {
  await redisLosesAll({ times: 3, seed: seedOf(4), visitors: 6 });
});
