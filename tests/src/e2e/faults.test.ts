// Services that are killed or drained: what clients see, and what is left.
import { ERRORS } from '@rungrid/proto/errors';
import { describe, expect, test } from 'vitest';
import { listSandboxes } from '../testkit/docker.js';
import { assertNoLeaks } from '../testkit/leaks.js';
import { Stack, type StackOptions } from '../testkit/stack.js';
import { until } from '@rungrid/testkit/until';

const COUNT = 'import time\nfor i in range(600):\n    print(i, flush=True)\n    time.sleep(0.05)';

/** Each fault gets a stack of its own, so that they go on beside each other. */
async function withStack(options: StackOptions, work: (stack: Stack) => Promise<void>): Promise<void> {
  const stack = await Stack.start(options);
  try {
    await work(stack);
    await assertNoLeaks(stack);
  } finally {
    await stack.close();
  }
}

describe('a worker killed with SIGKILL', () => {
  test.concurrent('ends each of its runs with exactly one worker_lost, leaves no container, and a new worker serves on', async () => {
    await withStack({}, async (stack) => {
      const client = await stack.connect();
      const runs = [client.run(COUNT, 'python'), client.run(COUNT, 'python')];
      for (const run of runs) await run.output('5\n');
      const lost = stack.worker;
      lost.process.signal('SIGKILL');
      stack.forget(lost);
      for (const run of runs) {
        expect(await run.error()).toMatchObject({ code: 'worker_lost', retryable: ERRORS.worker_lost.retryable });
        const lines = run.stdout.trim().split('\n');
        expect(lines).toEqual(lines.map((_, index) => String(index)));
      }
      await stack.addWorker();
      await until(async () => (await listSandboxes([lost.id])).length === 0, {
        what: 'the orphans to be removed',
        timeoutMs: 60_000,
      });
      const next = client.run('print("again")', 'python');
      await next.exit();
      expect(next.stdout).toBe('again\n');
      for (const run of runs) run.check();
    });
  });

  test.concurrent('leaves orphans that a living worker removes', async () => {
    await withStack({ workers: 2 }, async (stack) => {
      const [lost] = stack.workers;
      if (lost === undefined) throw new Error('no worker');
      lost.process.signal('SIGKILL');
      stack.forget(lost);
      await until(async () => (await listSandboxes([lost.id])).length === 0, {
        what: 'the orphans to be removed',
        timeoutMs: 60_000,
        everyMs: 200,
      });
      const client = await stack.connect();
      const run = client.run('print(1)', 'python');
      expect(await run.exit()).toMatchObject({ code: 0 });
    });
  });
});

describe('a worker drained by SIGTERM', () => {
  test.concurrent('takes no new run, gives every live run one end, and leaves no container', async () => {
    await withStack({ workers: 2 }, async (stack) => {
      const client = await stack.connect();
      const runs = Array.from({ length: 3 }, () => client.run('print("up", flush=True)\nprint(input())', 'python'));
      for (const run of runs) await run.output('up');
      const leaving = stack.worker;
      leaving.process.signal('SIGTERM');
      for (const run of runs) run.stdin('done\n');
      for (const run of runs) {
        const end = await run.end(30_000);
        if (end.event === 'exit') expect(run.stdout).toBe('up\ndone\n');
        else expect(end.data.retryable).toBe(true);
      }
      expect((await leaving.process.exited).code).toBe(0);
      stack.forget(leaving);
      expect(await listSandboxes([leaving.id])).toEqual([]);
      const next = client.run('print("elsewhere")', 'python');
      expect(await next.exit()).toMatchObject({ code: 0 });
    });
  });
});

describe('a gateway drained by SIGTERM', () => {
  test.concurrent('says draining, closes sockets with 1012, exits with 0, and its runs leave no container unless they are resumed', async () => {
    await withStack({ gateways: 2, workerEnv: { WORKER_RESUME_MS: '2000' } }, async (stack) => {
      const [leaving, staying] = stack.gateways;
      if (leaving === undefined || staying === undefined) throw new Error('no gateways');
      const client = await stack.connect({ gateway: leaving });
      const other = await stack.connect({ gateway: staying });
      const elsewhere = other.run('print(input())', 'python');
      await elsewhere.started();
      const run = client.run(COUNT, 'python');
      await run.output('1\n');
      leaving.process.signal('SIGTERM');
      expect((await client.event('draining')).reconnect_after_ms).toBeGreaterThanOrEqual(0);
      const late = client.run('print(1)', 'python');
      expect(await late.error()).toMatchObject({ code: 'draining', retryable: true });
      expect((await client.closed).code).toBe(1012);
      expect((await leaving.process.exited).code).toBe(0);
      stack.forget(leaving);
      elsewhere.stdin('not bothered\n');
      expect(await elsewhere.exit()).toMatchObject({ code: 0 });
      await until(async () => (await stack.running()).length === 0, { what: 'its runs to end' });
    });
  });
});

test.concurrent('without any worker, a run is refused or times out, and is retryable', async () => {
  await withStack({ gatewayEnv: { GATEWAY_QUEUE_TTL_MS: '1500' } }, async (stack) => {
    const { worker } = stack;
    await worker.process.stop();
    stack.forget(worker);
    const client = await stack.connect();
    const error = await client.run('print(1)', 'python').error();
    expect(['overloaded', 'unavailable', 'queue_timeout', 'unknown_language']).toContain(error.code);
    if (error.code !== 'unknown_language') expect(error.retryable).toBe(true);
  });
});

test.concurrent('a gateway killed with SIGKILL ends its runs, and no container is left', async () => {
  await withStack({}, async (stack) => {
    const client = await stack.connect();
    const run = client.run(COUNT, 'python');
    await run.output('1\n');
    const lost = stack.gateway;
    lost.process.signal('SIGKILL');
    stack.forget(lost);
    await client.closed;
    await until(async () => (await stack.running()).length === 0, { what: 'its run to end' });
    await stack.addGateway();
    const again = await stack.connect();
    expect(await again.run('print(1)', 'python').exit()).toMatchObject({ code: 0 });
  });
});

test.concurrent('Redis losing its data costs at most the runs of that moment', async () => {
  await withStack({}, async (stack) => {
    const client = await stack.connect();
    const live = client.run('print("up", flush=True)\nprint(input())', 'python');
    await live.output('up');
    await stack.redis.client.flushall();
    live.stdin('still here\n');
    expect(await live.exit()).toMatchObject({ code: 0 });
    await until(
      async () => {
        const run = client.run('print(1)', 'python');
        return (await run.end(30_000)).event === 'exit';
      },
      { what: 'runs to work again', timeoutMs: 60_000, everyMs: 200 },
    );
  });
});

test.concurrent('while Redis hangs a run is refused as unavailable and live runs go on; then runs work again', async () => {
  await withStack({}, async (stack) => {
    const client = await stack.connect();
    const live = client.run('print("up", flush=True)\nprint(input())', 'python');
    await live.output('up');
    stack.redis.process.signal('SIGSTOP');
    try {
      expect(await client.run('print(1)', 'python').error(30_000)).toMatchObject({
        code: 'unavailable',
        retryable: true,
      });
      live.stdin('still here\n');
      expect(await live.exit()).toMatchObject({ code: 0 });
    } finally {
      stack.redis.process.signal('SIGCONT');
    }
    await until(async () => (await client.run('print(1)', 'python').end(30_000)).event === 'exit', {
      what: 'runs to work again',
      timeoutMs: 40_000,
      everyMs: 200,
    });
  });
});

test.concurrent('two installations on one container engine do not touch each other’s sandboxes', async () => {
  await withStack({}, async (stack) => {
    const client = await stack.connect();
    const run = client.run('print("up", flush=True)\nprint(input())', 'python');
    await run.output('up');
    const mine = await stack.sandboxes();
    // The other worker reaps at its start; its Redis knows nothing of ours.
    await withStack({}, async (other) => {
      const there = await other.connect();
      expect(await there.run('print(1)', 'python').exit()).toMatchObject({ code: 0 });
    });
    run.stdin('still here\n');
    expect(await run.exit()).toMatchObject({ code: 0 });
    const names = new Set((await stack.sandboxes()).map((sandbox) => sandbox.id));
    expect(mine.filter((sandbox) => !sandbox.running && !names.has(sandbox.id))).toEqual([]);
  });
});
