// A real Redis out of memory, and one that starts again with and without its data.
import { afterEach, expect, test } from 'vitest';
import { ArtifactRedis } from './artifacts.js';
import { keys, PREFIX, RedisParts, WORKER_INFO } from './testkit/redis-parts.js';
import type { RedisServer } from './testkit/redis-server.js';
import { redisCli, startSingle, type Topology } from './testkit/redis-topologies.js';
import { announceWorker, listWorkers } from './workers.js';

const open: { close(): void | Promise<void> }[] = [];
afterEach(async () => {
  for (const part of open.splice(0).toReversed()) await part.close();
});

async function started(): Promise<{ topology: Topology; parts: RedisParts }> {
  const topology = await startSingle(PREFIX);
  open.push(topology);
  const parts = new RedisParts(topology);
  open.push(parts);
  await parts.createGroup();
  return { topology, parts };
}

async function setMaxMemory({ servers: [server] }: Topology, value: string): Promise<void> {
  if (server !== undefined) await redisCli(server, ['CONFIG', 'SET', 'maxmemory', value]);
}

test('when Redis is out of memory, refuses new runs, and still reads, claims, announces and cancels queued ones', async () => {
  const { topology, parts } = await started();
  const store = new ArtifactRedis(parts.worker, keys, { maxBytes: 1000, ttlMs: 60_000 });
  await store.put('a1', Buffer.from('program'));
  const { runId: claimed } = await parts.submit();
  const { runId: cancelled } = await parts.submit();
  await setMaxMemory(topology, '1');

  await expect(parts.submit('refused')).rejects.toThrow(/^OOM/);
  await expect(store.put('b2', Buffer.from('other'))).rejects.toThrow(/^OOM/);
  expect(await store.get('a1')).toEqual(Buffer.from('program'));
  const [entryId, read] = await parts.pull();
  expect(read).toBe(claimed);
  expect(await parts.claim(claimed, entryId)).toBeGreaterThan(0);
  await parts.notify(claimed, 1);
  expect(await parts.replies()).toEqual([claimed, claimed]);
  expect(await parts.cancel(cancelled)).toBe(true);
  await announceWorker(parts.worker, keys, WORKER_INFO);
  expect(await listWorkers(parts.gateway, keys)).toEqual([WORKER_INFO]);

  await setMaxMemory(topology, '0');
  expect((await parts.submit('refused')).result).toEqual({ outcome: 'ok', position: 0 });
});

test('after a restart without data, creates the group again, forgets queued runs, and serves new ones', async () => {
  const { topology, parts } = await started();
  const { runId: forgotten } = await parts.submit();
  await topology.servers[0]?.kill();
  await expect(parts.submit('refused')).rejects.toThrow(/closed/);
  await topology.servers[0]?.start();
  await expect(parts.read()).rejects.toThrow(/^NOGROUP/);
  const { runId } = await parts.submit();
  const [entryId, read] = await parts.pull();
  expect(read).toBe(runId);
  expect(await parts.claim(runId, entryId)).toBeGreaterThan(0);
  expect(await parts.cancel(forgotten)).toBe(false);
});

test('after a restart with its data, reads queued runs, and keeps claims', async () => {
  const { topology, parts } = await started();
  const { runId: claimed } = await parts.submit();
  const [claimedEntry] = await parts.pull();
  expect(await parts.claim(claimed, claimedEntry)).toBeGreaterThan(0);
  const { runId: waiting } = await parts.submit();
  const [server] = topology.servers as [RedisServer];
  await redisCli(server, ['SAVE']);
  await server.kill();
  const reading = parts.pull();
  await server.start();
  const [entryId, read] = await reading;
  expect(read).toBe(waiting);
  expect(await parts.claim(claimed, claimedEntry)).toBe(0);
  expect(await parts.claim(waiting, entryId)).toBeGreaterThan(0);
});
