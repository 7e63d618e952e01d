// Draining: a worker finishes its runs and takes no more, a gateway moves its clients on with their runs intact.
import { expect, test } from 'vitest';
import type { Client } from '../testkit/client.js';
import { useStack } from '../testkit/use-stack.js';
import type { Gateway } from '../testkit/stack.js';
import { until } from '@rungrid/testkit/until';

const stack = useStack({
  afterEach: 'clean',
  gateways: 2,
  gatewayEnv: { GATEWAY_DRAIN_MS: '2000' },
  workerEnv: { WORKER_DRAIN_MS: '20000', WORKER_RESUME_MS: '2000' },
});
const ECHO =
  'import sys\nprint("up", flush=True)\nfor line in sys.stdin:\n    print(f"<{line.strip()}>", flush=True)\n';

/** A further gateway, which the test is going to end. */
async function passing(): Promise<Gateway> {
  const gateway = await stack().addGateway();
  stack().forget(gateway);
  return gateway;
}

const closeCode = (client: Client) => client.closed.then(({ code }) => code);

test('a draining worker finishes its runs and exits; new runs go to the other one, and none is lost', async () => {
  const client = await stack().connect();
  const leaving = await stack().addWorker();
  stack().forget(leaving);
  const [first] = stack().workers;
  const runs = Array.from({ length: 6 }, () => client.run(ECHO, 'python'));
  await Promise.all(runs.map((run) => run.output('up')));
  const running = await until(
    async () => {
      const all = await stack().running();
      return all.length === runs.length ? all : undefined;
    },
    { what: 'their sandboxes to have their names' },
  );
  const held = running.filter(({ owner }) => owner === leaving.id);
  expect(held.length, 'runs of the worker that leaves').toBeGreaterThan(0);
  leaving.process.signal('SIGTERM');
  await until(async () => (await fetch(`${leaving.metrics}/readyz`)).status === 503, { what: 'it to be unready' });
  const other = await stack().connect();
  const later = Array.from({ length: 4 }, () => other.run('print("later")', 'python'));
  for (const run of later) expect(await run.exit()).toMatchObject({ reason: 'exited', code: 0 });
  for (const run of runs) {
    run.stdin('on\n');
    await run.output('<on>');
    run.eof();
    expect(await run.exit()).toMatchObject({ reason: 'exited', code: 0 });
  }
  expect(await leaving.process.exited).toMatchObject({ code: 0 });
  expect((await stack().sandboxes()).every(({ owner }) => owner === first?.id)).toBe(true);
});

test('a draining gateway closes an idle socket soon, and says when to reconnect', async () => {
  const gateway = await passing();
  const client = await stack().connect({ gateway });
  gateway.process.signal('SIGTERM');
  const { reconnect_after_ms: afterMs } = await client.event('draining');
  expect(afterMs).toBeLessThanOrEqual(2_000);
  expect(await closeCode(client)).toBe(1012);
  expect(await gateway.process.exited).toMatchObject({ code: 0 });
});

test.each(['keep', 'kill'] as const)('its started runs go on elsewhere (%s)', async (onDisconnect) => {
  const gateway = await passing();
  const client = await stack().connect({ gateway });
  const run = client.run(ECHO, 'python', { on_disconnect: onDisconnect });
  await run.output('up');
  gateway.process.signal('SIGTERM');
  expect(await closeCode(client)).toBe(1012);
  const other = await stack().connect();
  const again = other.resume({ key: run.resumeKey, after: run.seq });
  again.stdin('here\n');
  await again.output('<here>');
  again.eof();
  expect(await again.exit()).toMatchObject({ reason: 'exited' });
  expect(await gateway.process.exited).toMatchObject({ code: 0 });
});

test('a short run ends on the socket that it began on', async () => {
  const gateway = await passing();
  const client = await stack().connect({ gateway });
  const run = client.run('import time\nprint("up", flush=True)\ntime.sleep(0.5)\nprint("end")', 'python');
  await run.output('up');
  gateway.process.signal('SIGTERM');
  await client.event('draining');
  const refused = client.run('print(1)', 'python');
  expect(await refused.error()).toMatchObject({ code: 'draining', retryable: true });
  expect(await run.exit()).toMatchObject({ reason: 'exited' });
  expect(await closeCode(client)).toBe(1012);
});

test('a queued run is refused as draining before its socket closes', async () => {
  const gateway = await passing();
  const client = await stack().connect({ gateway });
  // No worker takes it: the only one is stopped.
  stack().worker.process.signal('SIGSTOP');
  try {
    const run = client.run('print(1)', 'python');
    await client.event('queued');
    gateway.process.signal('SIGTERM');
    expect(await run.error()).toMatchObject({ code: 'draining' });
    expect(await closeCode(client)).toBe(1012);
  } finally {
    stack().worker.process.signal('SIGCONT');
  }
  await gateway.process.exited;
});
