// The idle limit: neither output nor input for too long.
import { expect, test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';
import { quietFor } from '@rungrid/testkit/until';

const stack = useStack({ afterEach: 'nothing', workerEnv: { WORKER_IDLE_MS: '3000' } });

test.concurrent('a program without output and input ends by idle_limit', async () => {
  const client = await stack().connect();
  const run = client.run('input()', 'python');
  expect(await run.exit()).toMatchObject({ reason: 'idle_limit', code: null });
});

test.concurrent('input and output keep a program alive', async () => {
  const client = await stack().connect();
  const run = client.run('while True: print(input(), flush=True)', 'python');
  await run.started();
  const start = performance.now();
  for (let i = 0; performance.now() - start < 4_500; i++) {
    run.stdin(`${i}\n`);
    await run.output(`${i}\n`);
    await quietFor(300);
  }
  expect(run.ended).toBeUndefined();
  expect(await run.exit()).toMatchObject({ reason: 'idle_limit' });
});
