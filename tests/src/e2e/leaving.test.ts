// Clients that go away, and clients that do not read.
import { expect, test } from 'vitest';
import { CoTenant } from '../testkit/co-tenant.js';
import { RawSocket } from '../testkit/raw-socket.js';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const MIB = 1 << 20;
// Far more output than the kernel's buffers between gateway and client take, so that a flood meets the reader's pace.
const stack = useStack({ afterEach: 'clean', workerEnv: { WORKER_OUTPUT_BYTES: String(64 * MIB) } });

test.each([
  ['closes its socket', (raw: RawSocket) => raw.socket.end()],
  ['resets its connection', (raw: RawSocket) => raw.vanish()],
] as const)('the containers of a client that %s are gone within 2 s', async (_how, leave) => {
  const raw = await RawSocket.open(stack().gateway.url);
  for (const run of ['a', 'b']) {
    raw.send(
      JSON.stringify({
        event: 'run_code',
        data: {
          code: 'print("up", flush=True)\nimport time\ntime.sleep(60)',
          language: 'python',
          token: stack().mint(''),
          run,
        },
      }),
    );
  }
  await until(() => raw.texts.join('').split('"up').length === 3, {
    what: 'both programs to run',
  });
  // Their names change at checkout, in the background.
  await until(async () => (await stack().running()).length === 2, { what: 'both containers to be named' });
  const held = await stack().running();
  leave(raw);
  const ids = new Set(held.map((sandbox) => sandbox.id));
  await until(async () => (await stack().sandboxes()).every((sandbox) => !ids.has(sandbox.id)), {
    what: 'their containers to go',
    timeoutMs: 2_000,
  });
});

test('a run of a client that leaves while it is queued is never started', async () => {
  const client = await stack().connect();
  for (let i = 0; i < 5; i++) client.run('import time\ntime.sleep(60)', 'python');
  client.vanish();
  await until(async () => (await stack().running()).length === 0, { what: 'no run to be left' });
});

test('a client that stops reading costs the gateway a bounded amount, and others nothing', async () => {
  const coTenant = await CoTenant.start(stack());
  const before = stack().gateway.process.rssBytes();
  const slow = await Promise.all(Array.from({ length: 4 }, () => RawSocket.open(stack().gateway.url)));
  for (const raw of slow) {
    raw.socket.pause();
    for (const run of ['a', 'b']) {
      raw.send(
        JSON.stringify({
          event: 'run_code',
          data: { code: 'while True: print("x" * 1000)', language: 'python', token: stack().mint(''), run },
        }),
      );
    }
  }
  await until(async () => (await stack().running()).length > 4, { what: 'the floods to run', timeoutMs: 20_000 });
  let peak = 0;
  const over = performance.now() + 4_000;
  await until(
    () => {
      peak = Math.max(peak, stack().gateway.process.rssBytes());
      return performance.now() > over;
    },
    { what: 'the floods to meet the bound', everyMs: 100 },
  );
  await coTenant.alive();
  expect((peak - before) / MIB).toBeLessThan(64);
  for (const raw of slow) {
    raw.socket.resume();
    for (const run of ['a', 'b']) raw.send(JSON.stringify({ event: 'stop', data: { run } }));
    const exits = () => raw.texts.filter((text) => text.startsWith('{"event":"exit"')).length;
    await until(() => raw.over || exits() === 2, { what: 'the end of a slow client', timeoutMs: 20_000 });
    expect([undefined, 4008]).toContain(raw.closeCode);
    raw.destroy();
  }
  await coTenant.close();
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
