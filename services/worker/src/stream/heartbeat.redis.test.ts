// When a worker counts as dead while a real Redis loses its data.
import { createLogger } from '@rungrid/kit/logger';
import { connectRedis, type Redis } from '@rungrid/bus/connection';
import { keys, PREFIX } from '@rungrid/bus/testkit/redis-parts';
import { redisCli, startSingle, type Topology } from '@rungrid/bus/testkit/redis-topologies';
import { HEARTBEAT_TTL_MS } from '@rungrid/bus/workers';
import type { WorkerInfo } from '@rungrid/proto/stream-entries';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { Heartbeat } from './heartbeat.js';

const logger = createLogger({ service: 'test', level: 'silent' });
let topology: Topology;
let redis: Redis;
beforeAll(async () => {
  topology = await startSingle(PREFIX);
  redis = connectRedis({ url: topology.urlOf('worker'), logger, name: 'test' });
});
afterEach(() => {
  vi.useRealTimers();
});
afterAll(async () => {
  redis.disconnect();
  await topology.close();
});

function info(id: string): WorkerInfo {
  return { id, grpc: '127.0.0.1:1', metrics: 'http://127.0.0.1:2', pid: 1, draining: false, languages: [] };
}

test('a worker without a heartbeat is dead at once, but after Redis lost its data only one TTL later', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const heartbeat = new Heartbeat({ redis, keys, logger, workerId: 'worker-own' });
  const other = new Heartbeat({ redis, keys, logger, workerId: 'worker-other' });
  await heartbeat.announce(info('worker-own'));
  await other.announce(info('worker-other'));
  expect(await heartbeat.isAlive('worker-other')).toBe(true);
  expect(await heartbeat.isAlive('worker-dead')).toBe(false);

  for (const server of topology.servers) await redisCli(server, ['FLUSHALL']);
  expect(await heartbeat.isAlive('worker-other')).toBe(true);
  await heartbeat.announce(info('worker-own'));
  expect(await heartbeat.isAlive('worker-other')).toBe(true);
  await heartbeat.announce(info('worker-own'));
  vi.advanceTimersByTime(HEARTBEAT_TTL_MS);
  expect(await heartbeat.isAlive('worker-other')).toBe(false);
  await other.announce(info('worker-other'));
  expect(await heartbeat.isAlive('worker-other')).toBe(true);
});
