// Rules of the bound of the cache, and of what it evicts.
import { expect, test } from 'vitest';
import type { KeptResult } from '../run/artifacts.js';
import { ResultCache } from './cache.js';

const compiled = (bytes: number): KeptResult => ({
  kind: 'compiled',
  artifact: { content: Buffer.alloc(bytes), diagnostics: Buffer.alloc(0) },
});

test('keeps what fits, and lets the least recently used go', () => {
  const cache = new ResultCache(5000);
  cache.put('a', compiled(1000));
  cache.put('b', compiled(1000));
  cache.put('c', compiled(1000));
  expect(cache.get('a')).toBeDefined();
  cache.put('d', compiled(1000));
  expect(cache.get('b')).toBeUndefined();
  expect(['a', 'c', 'd'].map((key) => cache.get(key) !== undefined)).toEqual([true, true, true]);
  expect(cache.bytes).toBeLessThanOrEqual(5000);
});

test('counts an entry once when it is put again, and empty ones too', () => {
  const cache = new ResultCache(10_000);
  cache.put('a', compiled(1000));
  const once = cache.bytes;
  cache.put('a', compiled(1000));
  expect(cache.bytes).toBe(once);
  for (let i = 0; i < 1000; i++) cache.put(`empty ${i}`, compiled(0));
  expect(cache.bytes).toBeLessThanOrEqual(10_000);
});

test('does not keep a result larger than the cache, and keeps the others', () => {
  const cache = new ResultCache(2000);
  cache.put('a', compiled(100));
  cache.put('big', compiled(5000));
  expect(cache.get('big')).toBeUndefined();
  expect(cache.get('a')).toBeDefined();
});

test('a cache of no bytes keeps nothing', () => {
  const cache = new ResultCache(0);
  cache.put('a', compiled(0));
  expect(cache.get('a')).toBeUndefined();
});
