// Redis loses everything, long: fifty times.
import { test } from 'vitest';
import { redisLosesAll } from './redis-loss.js';
import { seedOf } from './settings.js';

test('Redis flushed fifty times under load: runs end truthfully, and work again soon', {
  timeout: 1_800_000,
}, async () => {
  await redisLosesAll({ times: 50, seed: seedOf(Date.now()), visitors: 12 });
});
