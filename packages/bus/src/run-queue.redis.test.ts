// The queue in a real Redis: who may wait and for how long, what a claim and a cancel leave, and what is queued again.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createKeys, WORKER_GROUP } from './keys.js';
import { createLogger } from '@rungrid/kit/logger';
import { RunClaims } from './run-claims.js';
import { type QueueLimits, RunQueue, type SubmittedRun } from './run-queue.js';
import { connectRedis, type Redis } from './connection.js';
import { RedisServer } from './testkit/redis-server.js';

const keys = createKeys('test');
const LANGUAGE = 'x';
const LIMITS: QueueLimits = {
  rateLimit: 1000,
  rateWindowMs: 60_000,
  maxQueue: 100,
  maxWaitMs: 1000,
  addressShare: 0.25,
  siteShare: 0.8,
  runTtlMs: 60_000,
};
const queue = keys.queue(LANGUAGE);
let server: RedisServer;
let redis: Redis;
let runs: RunQueue;
let claims: RunClaims;
let count = 0;

beforeAll(async () => {
  server = await RedisServer.start();
  const logger = createLogger({ service: 'test', level: 'silent' });
  redis = connectRedis({ url: `redis://${server.address}`, logger, name: 'test' });
  runs = new RunQueue(redis, keys, LIMITS);
  claims = new RunClaims(redis, keys);
});
beforeEach(async () => {
  await redis.flushdb();
  await redis.xgroup('CREATE', queue, WORKER_GROUP, '0', 'MKSTREAM');
});
afterAll(async () => {
  redis.disconnect();
  await server.close();
});

async function submit(run: Partial<SubmittedRun> = {}, limits: Partial<QueueLimits> = {}) {
  const runId = `run-${String(++count).padStart(6, '0')}`;
  const own = { runId, language: LANGUAGE, request: '{}', nonceKey: runId, nonceTtlMs: 60_000 };
  const given = { ...own, addressHash: 'a', siteHash: 's', ...run };
  return { ...given, result: await new RunQueue(redis, keys, { ...LIMITS, ...limits }).submit(given) };
}
const claim = async (runId: string) =>
  claims.claim({
    runId,
    language: LANGUAGE,
    entryId: (await redis.hget(keys.run(runId), 'entry')) ?? '0-0',
    gatewayId: 'gateway1',
    workerId: 'worker01',
    address: 'host:1',
    notify: false,
    heldTtlMs: 90_000,
  });
const waiting = () => redis.hgetall(keys.waiting(LANGUAGE));

/** A backlog: `pace` claims a second of late, and a run that has waited for more than half a second. */
async function backlog(pace: number): Promise<void> {
  const [seconds] = (await redis.time()) as unknown as [string, string];
  await redis.hset(keys.pace(LANGUAGE), { since: seconds, now: pace, before: pace * 5 });
  const old = Number(seconds) * 1000 - 2000;
  await redis.xadd(queue, `${old}-0`, 'request', '{}');
}

describe('a queue that is not behind', () => {
  test('counts queued runs by address and site, and forgets them with the claim or the cancel', async () => {
    const [first, second, third] = [await submit(), await submit(), await submit({ addressHash: 'b', siteHash: '' })];
    expect([first, second, third].map(({ result }) => result)).toEqual([
      { outcome: 'ok', position: 0 },
      { outcome: 'ok', position: 1 },
      { outcome: 'ok', position: 2 },
    ]);
    expect(await waiting()).toEqual({ 'who:a': '1', 'site:s': '1', 'who:b': '1' });
    expect(await claim(first.runId)).toBeGreaterThan(0);
    expect(await claim(second.runId)).toBeGreaterThan(0);
    expect(await runs.cancel(third.runId, LANGUAGE)).toBe(true);
    expect(await waiting()).toEqual({});
    expect(await redis.xlen(queue)).toBe(0);
  });

  test('takes every run, however little is known of the pace', async () => {
    for (let i = 0; i < 20; i++) expect((await submit()).result).toEqual({ outcome: 'ok', position: i });
  });

  test('resets its counts when it is empty', async () => {
    await redis.hset(keys.waiting(LANGUAGE), 'who:a', 17);
    await submit();
    expect(await waiting()).toEqual({});
  });

  test('refuses runs past its bound', async () => {
    await submit({}, { maxQueue: 1 });
    expect((await submit({}, { maxQueue: 1 })).result).toMatchObject({ outcome: 'full' });
  });
});

describe('a queue that is behind', () => {
  test('refuses a run that would wait too long, and says when to retry', async () => {
    await backlog(10);
    for (let i = 0; i < 12; i++) await redis.xadd(queue, '*', 'request', '{}');
    const { result, nonceKey, runId } = await submit();
    expect(result).toMatchObject({ outcome: 'full' });
    if (result.outcome === 'full') expect(result.retryAfterMs).toBeGreaterThan(100);
    // Nothing is spent on a refusal.
    expect(await redis.exists(keys.nonce(nonceKey), keys.run(runId))).toBe(0);
  });

  test('gives one address and one site their shares, and lets others in', async () => {
    await backlog(20);
    const outcomes = async (run: Partial<SubmittedRun>) => (await submit(run, { maxWaitMs: 2000 })).result.outcome;
    const first: string[] = [];
    for (let i = 0; i < 12; i++) first.push(await outcomes({}));
    expect(first.filter((outcome) => outcome === 'ok')).toHaveLength(10);
    expect(first.at(-1)).toBe('share');
    expect(await outcomes({ addressHash: 'b' })).toBe('ok');
    const site: string[] = [];
    for (let i = 0; i < 24; i++) site.push(await outcomes({ addressHash: `c${i}` }));
    expect(site.at(-1)).toBe('share');
    expect(await outcomes({ addressHash: 'd', siteHash: 't' })).toBe('ok');
  });

  test('is bounded by its length alone while no worker claims anything', async () => {
    const [seconds] = (await redis.time()) as unknown as [string, string];
    await redis.xadd(queue, `${Number(seconds) * 1000 - 20_000}-0`, 'request', '{}');
    expect((await submit()).result).toEqual({ outcome: 'ok', position: 1 });
  });
});

describe('requeue', () => {
  const requeue = ({ runId }: { runId: string }, epoch: number) =>
    runs.requeue({ language: LANGUAGE, runId, request: '{}' }, epoch);

  test('leaves a queued run and a cancelled one alone', async () => {
    const [queued, cancelled] = [await submit(), await submit()];
    await runs.cancel(cancelled.runId, LANGUAGE);
    expect(await requeue(queued, 0)).toBeUndefined();
    expect(await requeue(cancelled, 0)).toBeUndefined();
    expect(await redis.xlen(queue)).toBe(1);
  });

  test('queues again what Redis has forgotten, whole or in part', async () => {
    const [whole, entry] = [await submit(), await submit()];
    await redis.flushdb();
    await requeue(whole, 0);
    await redis.hset(keys.run(entry.runId), { state: 'queued', epoch: 0, entry: '1-1' });
    await requeue(entry, 0);
    expect(await redis.xlen(queue)).toBe(2);
    expect(await claim(whole.runId)).toBeGreaterThan(0);
    expect(await claim(entry.runId)).toBeGreaterThan(0);
  });

  test('gives the run of a lost claim a later epoch, and reports a later claim instead', async () => {
    const run = await submit();
    const first = await claim(run.runId);
    expect(await requeue(run, 0)).toEqual({ epoch: first, worker: 'worker01', address: 'host:1' });
    expect(await redis.xlen(queue)).toBe(0);
    expect(await requeue(run, first)).toBeUndefined();
    expect(await requeue(run, first)).toBeUndefined();
    expect(await redis.xlen(queue)).toBe(1);
    expect(await claim(run.runId)).toBeGreaterThan(first);
  });
});

test('remembers the holder of a run for the resume window; a queued run has none', async () => {
  const run = await submit();
  expect(await runs.find(run.runId)).toBeUndefined();
  const epoch = await claim(run.runId);
  expect(await runs.find(run.runId)).toEqual({ epoch, worker: 'worker01', address: 'host:1' });
  expect(await redis.pttl(keys.run(run.runId))).toBeGreaterThan(80_000);
  expect(await runs.find('unknown')).toBeUndefined();
});

test('keeps a note of a dead-lettered run', async () => {
  await runs.deadLetter('run-x', LANGUAGE);
  expect(await redis.xlen(keys.deadLetters)).toBe(1);
});
