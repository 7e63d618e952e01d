// Rules of packed artifacts, and of a store that is slow, failing or corrupt.
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

test('an artifact survives packing and unpacking', () => {
  expect(unpack('k', pack('k', artifact))).toEqual(artifact);
});

test('an artifact with one bit changed, truncated, or under another key is refused', () => {
  const packed = pack('k', artifact);
  for (let at = 0; at < packed.length; at++) {
    const damaged = Buffer.from(packed);
    damaged[at] = (damaged[at] as number) ^ 1;
    expect(unpack('k', damaged)).toBeUndefined();
    expect(unpack('k', packed.subarray(0, at))).toBeUndefined();
  }
  expect(unpack('other', packed)).toBeUndefined();
});

test('a corrupt artifact is counted and not used', async () => {
  const onCorrupt = vi.fn<() => void>();
  const store = redisArtifactStore({
    artifacts: { get: async () => Buffer.from('rubbish'), put: async () => undefined },
    logger,
    onCorrupt,
  });
  expect(await store.get('k')).toBeUndefined();
  expect(onCorrupt).toHaveBeenCalledOnce();
});

test('a store that fails or does not answer counts as empty', async () => {
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

test('at most four writes are in flight', async () => {
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
