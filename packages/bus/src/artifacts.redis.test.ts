// Compiled programs in a real Redis: retention, eviction order, and the byte count.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { createKeys } from './keys.js';
import { createLogger } from '@rungrid/kit/logger';
import { ArtifactRedis } from './artifacts.js';
import { connectRedis, type Redis } from './connection.js';

const keys = createKeys('test');
const HOUR_MS = 3_600_000;
let folder: string;
let server: ReturnType<typeof spawn>;
let redis: Redis;
let store: ArtifactRedis;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rungrid-artifacts-'));
  const socket = join(folder, 'redis.sock');
  server = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', ''], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(server.stdout as NodeJS.ReadableStream)) {
    if (line.includes('eady to accept connections')) break;
  }
  const logger = createLogger({ service: 'test', level: 'silent' });
  redis = connectRedis({ url: `unix://${socket}`, logger, name: 'test' });
});
beforeEach(async () => {
  await redis.flushall();
  store = new ArtifactRedis(redis, keys, { maxBytes: 1000, ttlMs: HOUR_MS });
});
afterAll(async () => {
  redis.disconnect();
  server.kill();
  await once(server, 'exit');
  rmSync(folder, { recursive: true, force: true });
});

const total = async (): Promise<number> => Number((await redis.hget(keys.artifactSizes, 'total')) ?? 0);

test('gives back every byte', async () => {
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, index) => index));
  await store.put('aa', bytes);
  expect(await store.get('aa')).toEqual(bytes);
  expect(await store.get('bb')).toBeUndefined();
  expect(await redis.pttl(`${keys.artifactPrefix}aa`)).toBeGreaterThan(HOUR_MS - 60_000);
});

test('lets the least recently used go when they do not fit together', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    for (const name of ['a1', 'b2', 'c3']) {
      vi.advanceTimersByTime(1000);
      await store.put(name, Buffer.alloc(300));
    }
    vi.advanceTimersByTime(1000);
    await store.get('a1');
    vi.advanceTimersByTime(1000);
    await store.put('d4', Buffer.alloc(300));
  } finally {
    vi.useRealTimers();
  }
  expect(await store.get('b2')).toBeUndefined();
  expect(await store.get('a1')).toHaveLength(300);
  expect(await total()).toBe(900);
});

test('counts one that is put again once, and does not keep one that is larger than all', async () => {
  await store.put('a1', Buffer.alloc(300));
  await store.put('a1', Buffer.alloc(400));
  expect(await total()).toBe(400);
  await store.put('b2', Buffer.alloc(1001));
  expect(await store.get('b2')).toBeUndefined();
  expect(await store.get('a1')).toHaveLength(400);
});

test('puts its books right when one has run out of time', async () => {
  await store.put('a1', Buffer.alloc(300));
  await redis.del(`${keys.artifactPrefix}a1`);
  expect(await store.get('a1')).toBeUndefined();
  expect(await total()).toBe(0);
  expect(await redis.zcard(keys.artifacts)).toBe(0);
});
