// Clients that leave, and clients that pause. What they cost: security/costs.exclusive.
import { expect, test } from 'vitest';
import { RawSocket } from '../testkit/raw-socket.js';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const stack = useStack({ afterEach: 'clean' });

test('a run of a client that leaves while it is queued is never started', async () => {
  const client = await stack().connect();
  for (let i = 0; i < 5; i++) client.run('import time\ntime.sleep(60)', 'python');
  client.vanish();
  await until(async () => (await stack().running()).length === 0, { what: 'every run to be removed' });
});

test('a client that pauses for a while gets everything when it reads again', async () => {
  const raw = await RawSocket.open(stack().gateway.url);
  raw.send(
    JSON.stringify({
      event: 'run_code',
      data: { code: 'import sys\nfor i in range(40000): print(i)', language: 'python', token: stack().mint('') },
    }),
  );
  await until(() => raw.events.some((frame) => frame.event === 'stdout'), { what: 'the first output' });
  raw.socket.pause();
  const over = performance.now() + 600;
  await until(() => performance.now() > over, { what: 'a pause' });
  raw.socket.resume();
  await until(() => raw.events.some((frame) => frame.event === 'exit'), { what: 'the end' });
  const text = raw.events.map((frame) => (frame.event === 'stdout' ? frame.data.text : '')).join('');
  expect(text).toBe(Array.from({ length: 40_000 }, (_, i) => `${i}\n`).join(''));
  raw.destroy();
});
