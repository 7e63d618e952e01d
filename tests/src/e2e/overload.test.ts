// More runs than a worker can serve: those that would wait too long are refused at once and spend no token, accepted ones end.
import { expect, test } from 'vitest';
import type { RunHandle } from '../testkit/run-handle.js';
import { useStack } from '../testkit/use-stack.js';
import { quietFor } from '@rungrid/testkit/until';

const stack = useStack({
  gatewayEnv: {
    GATEWAY_MAX_WAIT_MS: '1000',
    GATEWAY_ADDRESS_SHARE: '0.25',
    GATEWAY_SITE_SHARE: '0.8',
    GATEWAY_RUNS_PER_SOCKET: '256',
    GATEWAY_ALLOWED_ORIGINS: 'http://busy.test,http://quiet.test',
  },
  workerEnv: { WORKER_MAX_SANDBOXES: '3', WORKER_POOL_MIN_IDLE: '1' },
});

test('refusals say when to retry, accepted runs end; a quiet page is not shut out by a busy one', async () => {
  const busy = await stack().connect({ origin: 'http://busy.test' });
  const quiet = await stack().connect({ origin: 'http://quiet.test' });
  const runs: RunHandle[] = [];
  const asides: RunHandle[] = [];
  // A wait is estimated from the pace seen so far, so the flood comes in waves.
  while (
    !busy.events.some(({ event, data }) => event === 'error' && (data as { code: string }).code === 'overloaded')
  ) {
    expect(runs.length, 'runs without a refusal').toBeLessThan(400);
    for (let i = 0; i < 8; i++) runs.push(busy.run('import time\ntime.sleep(0.2)\nprint("done")', 'python'));
    if (asides.every(({ ended }) => ended !== undefined)) asides.push(quiet.run('print("aside")', 'python'));
    await quietFor(100);
  }
  const outcomes: string[] = [];
  for (const run of runs) {
    const { event, data } = await run.end();
    outcomes.push(event === 'exit' ? data.reason : data.code);
    if (event === 'error')
      expect(data).toMatchObject({ retryable: true, retry_after_ms: expect.any(Number) as number });
    else expect(run.stdout).toBe('done\n');
  }
  expect(new Set(outcomes)).toEqual(new Set(['exited', 'overloaded']));
  for (const aside of asides) await aside.end();
  expect(asides.some(({ stdout }) => stdout === 'aside\n')).toBe(true);
  // And it is over when the flood is.
  expect(await busy.run('print("after")', 'python').exit()).toMatchObject({ code: 0 });
});
