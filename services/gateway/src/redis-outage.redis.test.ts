// Behavior of the real gateway process while Redis is in trouble, and over Sentinel and a cluster: live runs go on, new ones get their answer.
import { PREFIX } from '@rungrid/bus/testkit/redis-parts';
import { replicated, startCluster, startSentinel, type Topology } from '@rungrid/bus/testkit/redis-topologies';
import { withCredentials } from '@rungrid/bus/url';
import { afterEach, expect, test } from 'vitest';
import { until } from '@rungrid/testkit/until';
import { type Harness, startHarness } from './testkit/harness.js';
import type { RawClient } from './testkit/raw-client.js';
import { script } from './testkit/script.js';

/** Within which a refusal comes, ms: it takes 2 s, and other tests run beside. */
const REFUSED_WITHIN_MS = 10_000;
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function started(env: Record<string, string> = {}): Promise<Harness> {
  const harness = await startHarness(script, env);
  closers.push(() => harness.stop());
  return harness;
}

async function over(start: (prefix: string) => Promise<Topology>): Promise<{ harness: Harness; topology: Topology }> {
  const topology = await start(PREFIX);
  closers.push(() => topology.close());
  return { topology, harness: await started({ RUNGRID_REDIS_URL: topology.urlOf('operator') }) };
}

/** Runs a program that asks for a name; resolves when it has asked. */
async function greet(harness: Harness, client: RawClient, run: string): Promise<void> {
  client.event('run_code', { code: 'greet', language: 'scripted', token: harness.token(), run });
  await client.next('stdout', { run, timeoutMs: 30_000 });
}

async function answer(client: RawClient, run: string): Promise<void> {
  client.event('stdin', { run, text: 'Ada\n' });
  expect((await client.next('exit', { run })).data).toMatchObject({ reason: 'exited', code: 0 });
}

/** The error that a new run gets, and how long that took, ms. */
async function refusal(harness: Harness, client: RawClient): Promise<{ code: unknown; tookMs: number }> {
  const askedMs = performance.now();
  client.event('run_code', { code: 'greet', language: 'scripted', token: harness.token(), run: 'refused' });
  const error = await client.next('error', { run: 'refused' });
  return { code: error.data['code'], tookMs: performance.now() - askedMs };
}

/** Starts runs until one is taken, and ends it. */
async function runsAgain(harness: Harness, client: RawClient): Promise<void> {
  let attempt = 0;
  const taken = async () => {
    const run = `again-${(attempt += 1)}`;
    client.event('run_code', { code: 'early exit', language: 'scripted', token: harness.token(), run });
    const end = await until(
      () => client.frames.find(({ event, data }) => data['run'] === run && (event === 'exit' || event === 'error')),
      { what: 'an end' },
    );
    return end.event === 'exit';
  };
  await until(taken, { what: 'a run to be taken', timeoutMs: 30_000 });
}

test.each([
  ['a killed master', startSentinel],
  ['a lost cluster', startCluster],
] as const)('with %s, a live run goes on, a new one is refused, one that waits starts later', async (_, start) => {
  const { harness, topology } = await over(start);
  const client = await harness.client();
  await greet(harness, client, 'live');
  await harness.worker.pause();
  const waiting = greet(harness, client, 'waiting');
  await client.next('queued', { run: 'waiting' });
  if (start === startSentinel) await replicated(topology);
  const servers = start === startSentinel ? topology.servers.slice(0, 1) : topology.servers;
  await Promise.all(servers.map((server) => server.kill()));
  const { code, tookMs } = await refusal(harness, client);
  expect(code).toBe('unavailable');
  expect(tookMs).toBeLessThan(REFUSED_WITHIN_MS);
  await answer(client, 'live');
  // A cluster's node restarts without its data; for the master, there is the replica.
  if (start === startCluster) for (const server of servers) await server.start();
  harness.worker.resume();
  await waiting;
  await answer(client, 'waiting');
  await runsAgain(harness, client);
});

test('without memory left, a live run goes on, a new one is refused, and later ones run', async () => {
  const harness = await started();
  const client = await harness.client();
  await greet(harness, client, 'live');
  await harness.redis.config('SET', 'maxmemory', '1');
  expect((await refusal(harness, client)).code).toBe('unavailable');
  await answer(client, 'live');
  await harness.redis.config('SET', 'maxmemory', '0');
  await runsAgain(harness, client);
});

test('with a wrong password, a gateway does not start, and says what to do, and not the password', async () => {
  const { harness, topology } = await over(startSentinel);
  const url = withCredentials(topology.urlOf('gateway'), { name: 'gateway', password: 'guess' });
  const fault = await harness.startGateway({ RUNGRID_REDIS_URL: url }).catch(String);
  expect(fault).toMatch(/does not take the user and password of RUNGRID_REDIS_URL: put there those that it knows/);
  expect(fault).not.toContain('guess');
});
