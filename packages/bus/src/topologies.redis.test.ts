// What the services ask of Redis, asked of one server, of Sentinel and of a cluster, over real servers; and a failover of each.
import { inspect } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WORKER_GROUP } from './keys.js';
import { createLogger } from '@rungrid/kit/logger';
import { checkRedis, connectRedis } from './connection.js';
import { ArtifactRedis } from './artifacts.js';
import { withCredentials } from './url.js';
import { keys, LANGUAGE, PREFIX, RedisParts, WORKER_INFO } from './testkit/redis-parts.js';
import {
  replicated,
  serverOf,
  startCluster,
  startSentinel,
  startSingle,
  type Topology,
} from './testkit/redis-topologies.js';
import { announceWorker, listWorkers, retractWorker } from './workers.js';

/** Within which a refusal comes, ms: it takes 2 s, and other tests run beside. Without a deadline of ours, ioredis would wait for ever. */
const REFUSED_WITHIN_MS = 10_000;

describe.each([
  ['one server', startSingle],
  ['Sentinel', startSentinel],
  ['a cluster', startCluster],
] as const)('over %s', (_, start) => {
  let topology: Topology;
  let parts: RedisParts;
  beforeAll(async () => {
    topology = await start(PREFIX);
    parts = new RedisParts(topology);
    await checkRedis(parts.gateway, topology.urlOf('gateway'));
    await parts.createGroup();
  });
  afterAll(async () => {
    parts.close();
    await topology.close();
  });

  test('reports a wrong password at start, and shows it nowhere', async () => {
    const logged: string[] = [];
    const logger = createLogger({
      service: 'test',
      level: 'trace',
      destination: { write: (line) => logged.push(line) },
    });
    const url = withCredentials(topology.urlOf('gateway'), { name: 'gateway', password: 'guess' });
    const redis = connectRedis({ url, logger, name: 'test' });
    try {
      const fault = await checkRedis(redis, url).catch((error: unknown) => inspect(error, { depth: 9 }));
      expect(fault).toMatch(/does not take the user and password of RUNGRID_REDIS_URL: put there/);
      expect([fault, ...logged].join(' ')).not.toContain('guess');
      expect(logged.join('')).toContain('WRONGPASS');
    } finally {
      redis.disconnect();
    }
  });

  test('a run is queued, read by a blocked worker, claimed once, and announced', async () => {
    const waiting = parts.pull();
    const { runId, result } = await parts.submit();
    expect(result.outcome).toBe('ok');
    const [entryId, read] = await waiting;
    expect(read).toBe(runId);
    expect(await parts.claim(runId, entryId)).toBeGreaterThan(0);
    expect(await parts.claim(runId, entryId)).toBe(0);
    await parts.notify(runId, 1);
    expect(await parts.replies()).toEqual([runId, runId]);
  });

  test('a run whose claim is lost is queued again, and claimed with a later epoch', async () => {
    const { runId } = await parts.submit();
    const first = await parts.claim(runId, (await parts.pull())[0]);
    expect(await parts.find(runId)).toBe(first);
    await parts.requeue(runId, first);
    const [entryId, read] = await parts.pull();
    expect(read).toBe(runId);
    expect(await parts.claim(runId, entryId)).toBeGreaterThan(first);
  });

  test('a queued run is cancelled, and not read then', async () => {
    const { runId } = await parts.submit();
    expect(await parts.cancel(runId)).toBe(true);
    expect(await parts.cancel(runId)).toBe(false);
    expect(await parts.read()).toBeUndefined();
  });

  test('an entry is dropped in a transaction, and dead consumers are seen', async () => {
    const queue = keys.queue(LANGUAGE);
    await parts.submit();
    const [entryId] = await parts.pull();
    const done = await parts.worker.multi().xack(queue, WORKER_GROUP, entryId).xdel(queue, entryId).exec();
    expect(done).toEqual([
      [null, 1],
      [null, 1],
    ]);
    expect(await parts.worker.xinfo('CONSUMERS', queue, WORKER_GROUP)).toHaveLength(1);
    expect(await parts.worker.xautoclaim(queue, WORKER_GROUP, 'other', 0, '0')).toEqual(['0-0', [], []]);
  });

  test('keeps compiled programs, and evicts the least recently used with its bytes', async () => {
    const store = new ArtifactRedis(parts.worker, keys, { maxBytes: 1000, ttlMs: 60_000 });
    await store.put('a1', Buffer.alloc(600, 1));
    await store.put('b2', Buffer.alloc(600, 2));
    expect(await store.get('b2')).toEqual(Buffer.alloc(600, 2));
    expect(await store.get('a1')).toBeUndefined();
    expect(await parts.worker.exists(`${keys.artifactPrefix}a1`)).toBe(0);
  });

  test('a worker is listed while its heartbeat lasts', async () => {
    await announceWorker(parts.worker, keys, WORKER_INFO);
    expect(await listWorkers(parts.gateway, keys)).toEqual([WORKER_INFO]);
    await retractWorker(parts.worker, keys, WORKER_INFO.id);
    expect(await listWorkers(parts.gateway, keys)).toEqual([]);
  });
});

describe('when a server is lost', () => {
  const open: { close(): void | Promise<void> }[] = [];
  afterEach(async () => {
    for (const part of open.splice(0).toReversed()) await part.close();
  });

  async function started(
    start: (prefix: string) => Promise<Topology>,
  ): Promise<{ topology: Topology; parts: RedisParts }> {
    const topology = await start(PREFIX);
    open.push(topology);
    const parts = new RedisParts(topology);
    open.push(parts);
    await parts.createGroup();
    await parts.submit();
    await parts.pull();
    return { topology, parts };
  }

  test('finds the new master, also for the blocked read, with the runs queued before', async () => {
    const { topology, parts } = await started(startSentinel);
    const { runId: before } = await parts.submit();
    await replicated(topology);
    await topology.servers[0]?.kill();
    const after = parts.submitAtLast();
    expect((await parts.pull())[1]).toBe(before);
    expect((await parts.pull())[1]).toBe(await after);
  });

  test('leaves a master that hangs for the new one', async () => {
    const { topology, parts } = await started(startSentinel);
    await replicated(topology);
    topology.servers[0]?.signal('SIGSTOP');
    const after = parts.submitAtLast();
    expect((await parts.pull())[1]).toBe(await after);
  });

  test('a cluster without the node of the queue refuses runs, and recovers with the node', async () => {
    const { topology, parts } = await started(startCluster);
    const node = await serverOf(topology, keys.queue(LANGUAGE));
    await node.kill();
    const killedMs = performance.now();
    await expect(parts.submit()).rejects.toThrow();
    expect(performance.now() - killedMs).toBeLessThan(REFUSED_WITHIN_MS);
    await node.start();
    const after = parts.submitAtLast();
    expect((await parts.pull())[1]).toBe(await after);
  });

  test.each([
    ['a cluster', startCluster, /startup nodes|redirections|closed|ended/],
    ['Sentinel', startSentinel, /closed|sentinels/],
  ] as const)(
    'without any server of %s, runs are refused at once, and none is kept for later',
    async (_, start, why) => {
      const { topology, parts } = await started(start);
      await Promise.all(topology.all.map((server) => server.kill()));
      for (let attempt = 0; attempt < 3; attempt++) {
        const askedMs = performance.now();
        await expect(parts.submit('refused')).rejects.toThrow(why);
        expect(performance.now() - askedMs).toBeLessThan(REFUSED_WITHIN_MS);
      }
      for (const server of topology.all) await server.start();
      const after = await parts.submitAtLast();
      expect((await parts.pull())[1]).toBe(after);
    },
  );
});
