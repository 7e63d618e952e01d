// What is packed is unpacked; what is anything else is refused; a store that does not answer is not waited for.
import { createLogger } from '@rungrid/kit/logger';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Artifact } from '../run/artifacts.js';
import { pack, redisArtifactStore, unpack } from './artifacts.js';

const logger = createLogger({ service: 'test', level: 'silent' });
const artifact: Artifact = { content: Buffer.from('binary'), diagnostics: Buffer.from('warning') };

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('comes back as it was', () => {
  expect(unpack('k', pack('k', artifact))).toEqual(artifact);
});

test('is refused with one bit changed, cut, or under another key', () => {
  const packed = pack('k', artifact);
  for (let at = 0; at < packed.length; at++) {
    const damaged = Buffer.from(packed);
    damaged[at] = (damaged[at] as number) ^ 1;
    expect(unpack('k', damaged)).toBeUndefined();
    expect(unpack('k', packed.subarray(0, at))).toBeUndefined();
  }
  expect(unpack('other', packed)).toBeUndefined();
});

test('a damaged one is counted and not given out', async () => {
  const onCorrupt = vi.fn<() => void>();
  const store = redisArtifactStore({
    artifacts: { get: async () => Buffer.from('rubbish'), put: async () => undefined },
    logger,
    onCorrupt,
  });
  expect(await store.get('k')).toBeUndefined();
  expect(onCorrupt).toHaveBeenCalledOnce();
});

test('a store that fails or is silent has nothing', async () => {
  const failing = redisArtifactStore({
    artifacts: { get: () => Promise.reject(new Error('away')), put: () => Promise.reject(new Error('away')) },
    logger,
    onCorrupt: () => undefined,
  });
  expect(await failing.get('k')).toBeUndefined();
  failing.put('k', artifact);
  const silent = redisArtifactStore({
    artifacts: { get: () => new Promise(() => undefined), put: async () => undefined },
    logger,
    onCorrupt: () => undefined,
  });
  const answer = silent.get('k');
  await vi.advanceTimersByTimeAsync(1000);
  expect(await answer).toBeUndefined();
});

test('only a few writes are under way at once', async () => {
  let puts = 0;
  const store = redisArtifactStore({
    artifacts: {
      get: async () => undefined,
      put: () => {
        puts += 1;
        return new Promise(() => undefined);
      },
    },
    logger,
    onCorrupt: () => undefined,
  });
  for (let i = 0; i < 20; i++) store.put(`k${i}`, artifact);
  expect(puts).toBe(4);
});
