// Caps per address and the queue: past each, a coded refusal that says when to retry.
import { describe, expect, test } from 'vitest';
import { ORIGIN } from '../testkit/stack.js';
import { useStack } from '../testkit/use-stack.js';

const CODE = 'print("ran")';

describe('caps', () => {
  const capped = useStack({
    gatewayEnv: { GATEWAY_RUNS_PER_ADDRESS: '4', GATEWAY_SOCKETS_PER_ADDRESS: '5', GATEWAY_TOKENS_PER_ADDRESS: '3' },
  });

  test('runs past the rate of an address are refused with retry_after_ms, and cost no token', async () => {
    const client = await capped().connect();
    for (let i = 0; i < 4; i++) expect(await client.run(CODE, 'python').exit()).toMatchObject({ code: 0 });
    const error = await client.run(CODE, 'python').error();
    expect(error).toMatchObject({ code: 'rate_limited', retryable: true });
    expect(error.retry_after_ms).toBeGreaterThan(0);
  });

  test('sockets past the cap of an address are closed with 4429', async () => {
    const clients = [];
    for (let i = 0; i < 6; i++) clients.push(await capped().connect());
    expect((await clients[5]?.closed)?.code).toBe(4429);
    for (const client of clients.slice(0, 5)) {
      client.send('ping', 1);
      await client.event('pong');
    }
  });

  test('tokens past the rate of an address are refused with 429', async () => {
    const statuses: number[] = [];
    for (let i = 0; i < 6; i++) {
      statuses.push(
        (await fetch(`${capped().gateway.url}/v1/token`, { method: 'POST', headers: { origin: ORIGIN } })).status,
      );
    }
    expect(statuses).toContain(429);
    expect(statuses[0]).toBe(200);
  });
});

describe('overload', () => {
  const small = useStack({
    gatewayEnv: { GATEWAY_MAX_QUEUE: '3', GATEWAY_RUNS_PER_SOCKET: '16', GATEWAY_QUEUE_TTL_MS: '60000' },
    workerEnv: { WORKER_MAX_SANDBOXES: '2', WORKER_POOL_MIN_IDLE: '1' },
  });

  test('runs past a full queue are refused as overloaded, those in it wait and run', async () => {
    const client = await small().connect();
    const runs = Array.from({ length: 12 }, () => client.run('print(input())', 'python'));
    await client.waitFor(() => runs.every((run) => run.ended !== undefined || run.events.length > 0), {
      what: 'an answer to each',
    });
    await client.waitFor(() => runs.some((run) => run.ended !== undefined), { what: 'a refusal' });
    const taken = runs.filter((run) => run.ended === undefined);
    const refused = runs.filter((run) => run.ended !== undefined);
    expect(taken.length).toBeGreaterThanOrEqual(3);
    for (const run of refused) {
      const error = await run.error();
      expect(error).toMatchObject({ code: 'overloaded', retryable: true });
      expect(error.retry_after_ms).toBeGreaterThan(0);
    }
    for (const run of taken) run.stdin('my turn\n');
    for (const run of taken) expect(await run.exit(40_000)).toMatchObject({ code: 0 });
  });

  test('a queued run can be stopped', async () => {
    const client = await small().connect();
    const holders = [client.run('print(input())', 'python'), client.run('print(input())', 'python')];
    for (const run of holders) await run.started(30_000);
    const waiting = client.run('print(input())', 'python');
    const next = client.run('print(input())', 'python');
    await client.waitFor(() => waiting.events.length > 0 && next.events.length > 0, { what: 'queued' });
    waiting.stop();
    expect(await waiting.exit(5_000)).toMatchObject({ reason: 'stopped' });
    expect(waiting.events.map((frame) => frame.event)).toEqual(['queued', 'exit']);
    for (const run of [...holders, next]) {
      run.stdin('x\n');
      expect(await run.exit(40_000)).toMatchObject({ code: 0 });
    }
  });

  test('a run that no worker takes in time ends with queue_timeout', async () => {
    const hasty = await small().addGateway({ GATEWAY_QUEUE_TTL_MS: '700' });
    const client = await small().connect({ gateway: hasty });
    const holders = [client.run('input()', 'python'), client.run('input()', 'python')];
    for (const run of holders) await run.started(30_000);
    const waiting = client.run('print(1)', 'python');
    expect(await waiting.error()).toMatchObject({ code: 'queue_timeout', retryable: true });
    for (const run of holders) run.stop();
    for (const run of holders) await run.exit();
  });
});
