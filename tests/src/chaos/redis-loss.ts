// Redis loses everything under load: every accepted run ends truthfully, and the service is well again soon.
import { expect } from 'vitest';
import { Seeded } from '../testkit/chaos/seeded.js';
import { assertNoLeaks } from '../testkit/leaks.js';
import { Stack } from '../testkit/stack.js';
import { quietFor, until } from '@rungrid/testkit/until';
import { CHAOS_ENV } from './faults-under-load.js';
import { Load } from './load.js';
import { printReport, spread } from './report.js';

/** The target: a new run succeeds so long after Redis has lost its data, ms, at most. */
const WELL_AGAIN_MS = 15_000;

export async function redisLosesAll(options: { times: number; seed: number; visitors: number }): Promise<void> {
  const { seed, visitors } = options;
  const random = new Seeded(seed);
  const stack = await Stack.start({ gateways: 2, workers: 2, ...CHAOS_ENV });
  try {
    const load = new Load(stack, { seed, visitors, habits: { keeps: 0.5, drops: 0, fades: 0 } });
    const wellMs: number[] = [];
    try {
      await load.reached(2 * visitors, 60_000);
      for (let time = 0; time < options.times; time++) {
        await quietFor(random.int(500, 4_000));
        await stack.redis.client.flushall();
        const lostMs = performance.now();
        await until(() => oneRunSucceeds(stack), { what: 'a run to succeed', timeoutMs: WELL_AGAIN_MS, everyMs: 100 });
        wellMs.push(performance.now() - lostMs);
      }
    } finally {
      await load.stop();
      printReport('Redis flushed under load', { load, extra: { seed, ...spread('well again', wellMs) } });
    }
    expect(load.violations).toEqual([]);
    await assertNoLeaks(stack);
  } finally {
    await stack.close();
  }
}

async function oneRunSucceeds(stack: Stack): Promise<boolean> {
  const client = await stack.connect();
  const run = client.run('print("well")', 'python');
  const end = await run.end(WELL_AGAIN_MS);
  await client.close();
  return end.event === 'exit' && run.stdout === 'well\n';
}
