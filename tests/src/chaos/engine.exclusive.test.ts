// The container engine killed, restarted and hanging below a worker: what clients see, what the worker says of itself, what stays behind.
import { languageImage } from '@rungrid/sandbox/images';
import { resolveLanguage } from '@rungrid/sandbox/languages';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listSandboxes } from '../testkit/docker.js';
import { assertNoLeaks } from '../testkit/leaks.js';
import { scrape, sumOf } from '../testkit/metrics.js';
import { remainsOf, type Trace, traceOf } from '../testkit/outside.js';
import { PrivateEngine } from '../testkit/private-engine.js';
import type { RunHandle } from '../testkit/run-handle.js';
import { Stack, type StackOptions, type Worker } from '../testkit/stack.js';
import { until } from '@rungrid/testkit/until';

const COUNT = 'import time\nfor i in range(6000):\n    print(i, flush=True)\n    time.sleep(0.05)';
const ASK = 'print("up", flush=True)\nprint(input())';
const MIN_IDLE_COUNT = 2;
/** Within which a run whose sandbox is lost ends, and readiness says that the engine is away, ms. */
const SOON_MS = 5_000;
/** Within which a worker is ready again after its engine is back: what was left is removed, the self-test run, ms. */
const BACK_MS = 30_000;

let engine: PrivateEngine;
let stack: Stack;

beforeAll(async () => {
  const python = resolveLanguage('python');
  if (python === undefined) throw new Error('there is no python');
  engine = await PrivateEngine.start([languageImage(python)]);
});
afterAll(() => engine?.close());

/** Each trouble gets a stack of its own. */
async function withStack(options: StackOptions, work: () => Promise<void>): Promise<void> {
  stack = await Stack.start({
    ...options,
    engine: engine.host,
    workerEnv: { WORKER_POOL_MIN_IDLE: String(MIN_IDLE_COUNT) },
  });
  try {
    await filled();
    await work();
    await assertNoLeaks(stack);
  } catch (error) {
    // On an engine that is still away it cannot close cleanly; what came before says why.
    await stack.close().catch(() => undefined);
    throw error;
  }
  await stack.close();
}

describe('an engine killed with SIGKILL', () => {
  test('ends live runs as worker_lost, makes the worker unready, and serves again once it recovers', async () => {
    await withStack({}, async () => {
      const client = await stack.connect();
      const runs = [client.run(COUNT, 'python'), client.run(ASK, 'python')];
      await runs[0]?.output('5\n');
      await runs[1]?.output('up\n');
      await atRest({ live: 2 });
      const traces = await traced();
      await killed(async () => {
        for (const run of runs)
          expect(await run.error(SOON_MS)).toMatchObject({ code: 'worker_lost', retryable: true });
        await off(stack.worker);
        await until(async () => (await warmOf(stack.worker)) === 0, { what: 'the pool to be empty' });
      });
      await ready(stack.worker);
      await serves();
      await onlyThePool(traces);
    });
  });

  test('leaves runs in the queue meanwhile: for other workers, until it is back, or until their time there is over', async () => {
    await withStack({}, async () => {
      const hasty = await stack.addGateway({ GATEWAY_QUEUE_TTL_MS: '1000' });
      const [client, hurried] = [await stack.connect(), await stack.connect({ gateway: hasty })];
      await atRest({ live: 0 });
      const traces = await traced();
      let waiting: RunHandle | undefined;
      await killed(async () => {
        await off(stack.worker);
        const late = hurried.run('print(1)', 'python');
        expect(await late.error()).toMatchObject({ code: 'queue_timeout', retryable: true });
        const taken = client.run('print("elsewhere")', 'python');
        const elsewhere = await stack.addWorker({ DOCKER_HOST: process.env['DOCKER_HOST'] ?? '' });
        expect(await taken.exit()).toMatchObject({ code: 0, reason: 'exited' });
        await elsewhere.process.stop();
        stack.forget(elsewhere);
        expect(await listSandboxes([elsewhere.id])).toEqual([]);
        waiting = client.run('print("at last")', 'python');
      });
      expect(await waiting?.exit(BACK_MS)).toMatchObject({ code: 0, reason: 'exited' });
      await onlyThePool(traces);
    });
  });

  test('is the same behind an engine proxy', async () => {
    await withStack({ engineProxy: true }, async () => {
      const client = await stack.connect();
      const run = client.run(ASK, 'python');
      await run.output('up\n');
      await atRest({ live: 1 });
      const traces = await traced();
      await killed(async () => {
        expect(await run.error(SOON_MS)).toMatchObject({ code: 'worker_lost', retryable: true });
        await off(stack.worker);
      });
      await ready(stack.worker);
      await serves();
      await onlyThePool(traces);
    });
  });
});

test('an engine restarted ends live runs as worker_lost, and is verified again before the worker serves on it', async () => {
  await withStack({}, async () => {
    const client = await stack.connect();
    const run = client.run(ASK, 'python');
    await run.output('up\n');
    await atRest({ live: 1 });
    const traces = await traced();
    await engine.restart();
    expect(await run.error(SOON_MS)).toMatchObject({ code: 'worker_lost', retryable: true });
    await ready(stack.worker);
    // The log comes through a pipe, readiness over HTTP: either may be first.
    await until(() => stack.worker.process.log.includes('engine recovered'), { what: 'the log line' });
    await serves();
    await onlyThePool(traces);
  });
});

test('an engine that hangs makes the worker unready; limits hold, live runs wait, and after it nothing is doubled', async () => {
  await withStack({}, async () => {
    const client = await stack.connect();
    const asking = client.run(ASK, 'python');
    await asking.output('up\n');
    const limited = client.run(COUNT, 'python', { limits: { wall_ms: 4_000 } });
    await limited.started();
    const startedMs = performance.now();
    let waiting: RunHandle | undefined;
    // While the pool refills: a start is under way.
    await held(async () => {
      await off(stack.worker);
      waiting = client.run('print("at last")', 'python');
      expect(await limited.exit(SOON_MS)).toMatchObject({ reason: 'wall_limit' });
      expect(performance.now() - startedMs).toBeLessThan(5_500);
      // Calls under way run into their deadline, and the removal of what has ended is tried again.
      await stack.worker.process.line(/docker remove: no answer within/, 20_000);
      expect(asking.ended).toBeUndefined();
      expect(waiting.ended).toBeUndefined();
    });
    expect(await waiting?.exit(BACK_MS)).toMatchObject({ code: 0, reason: 'exited' });
    await ready(stack.worker);
    asking.stdin('still here\n');
    expect(await asking.exit()).toMatchObject({ code: 0 });
    expect(asking.stdout).toBe('up\nstill here\n');
    await serves();
    await onlyThePool([]);
  });
});

/** What is done while the engine is killed; it is back afterwards, whatever came of it. */
async function killed(work: () => Promise<void>): Promise<void> {
  await engine.kill();
  try {
    await work();
  } finally {
    await engine.revive();
  }
}

/** What is done while it hangs. */
async function held(work: () => Promise<void>): Promise<void> {
  engine.hang();
  try {
    await work();
  } finally {
    engine.goOn();
  }
}

/** Traces of every sandbox that there is. */
async function traced(): Promise<Trace[]> {
  const sandboxes = (await stack.sandboxes()).filter(({ alive }) => alive);
  return Promise.all(sandboxes.map(({ id }) => traceOf(id, engine.host)));
}

async function readiness(worker: Worker): Promise<string> {
  const response = await fetch(`${worker.metrics}/readyz`);
  return `${response.status} ${await response.text()}`;
}

/** Not ready, because of the engine. */
async function off(worker: Worker): Promise<void> {
  await until(async () => (await readiness(worker)) === '503 engine is not reachable\n', {
    what: 'the worker to say that its engine is away',
    timeoutMs: SOON_MS,
  });
  expect(sumOf(await scrape(worker.metrics), 'rungrid_worker_engine_up')).toBe(0);
}

async function ready(worker: Worker): Promise<void> {
  await until(async () => (await readiness(worker)) === '200 ready\n', {
    what: () => `the worker to be ready again; its log:\n${worker.process.log}`,
    timeoutMs: BACK_MS,
  });
}

async function warmOf(worker: Worker): Promise<number | undefined> {
  return sumOf(await scrape(worker.metrics), 'rungrid_worker_warm_sandboxes');
}

async function filled(): Promise<void> {
  await until(async () => (await warmOf(stack.worker)) === MIN_IDLE_COUNT, { what: 'the pool to be full' });
}

/**
 * The engine has a full pool and the live runs' sandboxes, all running, and nothing under way: an engine of Docker 20.10 that dies between the
 * start of a container and its note of it forgets the container, and leaves its processes running.
 */
async function atRest({ live }: { live: number }): Promise<void> {
  await filled();
  const rests = async (): Promise<boolean> => {
    const running = (await stack.sandboxes()).filter(({ alive }) => alive).length;
    return running === MIN_IDLE_COUNT + live && (await engine.containers()).length === MIN_IDLE_COUNT + live;
  };
  await until(rests, { what: 'the engine to be at rest' });
}

async function serves(): Promise<void> {
  const client = await stack.connect();
  const runs = Array.from({ length: MIN_IDLE_COUNT + 1 }, () => client.run(ASK, 'python'));
  for (const run of runs) await run.output('up\n');
  for (const run of runs) run.stdin('yes\n');
  for (const run of runs) expect(await run.exit()).toMatchObject({ code: 0, reason: 'exited' });
}

/** The engine comes to have the sandboxes of a full pool and no other container, and nothing is left of those that were `lost`. */
async function onlyThePool(lost: readonly Trace[]): Promise<void> {
  let state = '';
  const settled = async (): Promise<boolean> => {
    const sandboxes = await stack.sandboxes();
    const all = await engine.containers();
    const remains = lost.flatMap((trace) => remainsOf(trace));
    state = JSON.stringify({ sandboxes: sandboxes.map(({ name, alive }) => ({ name, alive })), all, remains });
    return (
      all.length === MIN_IDLE_COUNT &&
      sandboxes.filter(({ alive }) => alive).length === MIN_IDLE_COUNT &&
      remains.length === 0
    );
  };
  await until(settled, {
    what: () => `nothing but the pool to be there; there is ${state}; the worker's log:\n${stack.worker.process.log}`,
    timeoutMs: 25_000,
    everyMs: 100,
  });
}
