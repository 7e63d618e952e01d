// Tests of the token buckets.
import { expect, test } from 'vitest';
import { BucketMap, TokenBucket } from './token-bucket.js';

test('a full bucket lets its capacity through at once, then says how long to wait', () => {
  const bucket = new TokenBucket({ capacity: 3, perSecond: 2 }, 0);
  expect([bucket.take(0), bucket.take(0), bucket.take(0)]).toEqual([0, 0, 0]);
  expect(bucket.take(0)).toBe(500);
  expect(bucket.take(500)).toBe(0);
  expect(bucket.take(500)).toBe(500);
});

test('a bucket never holds more than its capacity, and a clock that steps back is harmless', () => {
  const bucket = new TokenBucket({ capacity: 2, perSecond: 1 }, 10_000);
  expect(bucket.take(0)).toBe(0);
  expect([bucket.take(1e9), bucket.take(1e9)]).toEqual([0, 0]);
  expect(bucket.take(1e9)).toBeGreaterThan(0);
});

test('names have buckets of their own, and the oldest name is forgotten past the bound', () => {
  const map = new BucketMap({ capacity: 1, perSecond: 1, maxNames: 2 });
  expect(map.take('a', 0)).toBe(0);
  expect(map.take('b', 0)).toBe(0);
  expect(map.take('a', 0)).toBe(1000);
  expect(map.take('c', 0)).toBe(0);
  expect(map.size).toBe(2);
  expect(map.take('b', 0)).toBe(0);
});

test('what is consumeOvern is waited for, and paid by the time', () => {
  const bucket = new TokenBucket({ capacity: 10, perSecond: 100 }, 0);
  expect(bucket.consumeOver(10, 0)).toBe(0);
  expect(bucket.consumeOver(5, 0)).toBe(50);
  expect(bucket.takeSome(3, 0)).toBe(3);
  expect(bucket.consumeOver(0, 50)).toBe(0);
  expect(bucket.takeSome(3, 70)).toBe(1);
});
