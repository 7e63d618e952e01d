// Rules of the pace: a person's output and one flood alone go through; floods together wait their turn.
import { TokenBucket } from '@rungrid/kit/token-bucket';
import { expect, test } from 'vitest';
import { OutputAccount } from './output-pace.js';

const KB = 1024;
const options = { perSecond: 1000 * KB, capacity: 1000 * KB };

test('what a run writes within its own allowance is free, however much others write', () => {
  const pace = new TokenBucket(options, 0);
  pace.overdraw(9000 * KB, 0);
  const account = new OutputAccount(pace);
  expect(account.spend(64 * KB, 0)).toBe(0);
  for (let second = 1; second < 10; second++) expect(account.spend(64 * KB, second * 1000)).toBe(0);
});

test('a megabyte from one run alone is not held', () => {
  const account = new OutputAccount(new TokenBucket(options, 0));
  for (let i = 0; i < 16; i++) expect(account.spend(64 * KB, i)).toBe(0);
});

test('past what is shared, each waits for what it took', () => {
  const pace = new TokenBucket(options, 0);
  const floods = Array.from({ length: 3 }, () => new OutputAccount(pace));
  for (const flood of floods) flood.spend(64 * KB, 0);
  expect(floods[0]?.spend(1000 * KB, 0)).toBe(0);
  expect(floods[1]?.spend(100 * KB, 0)).toBe(100);
  // Behind the one before it.
  expect(floods[2]?.spend(100 * KB, 0)).toBe(200);
});

test('what was waited for is paid', () => {
  const pace = new TokenBucket(options, 0);
  expect(pace.overdraw(1500 * KB, 0)).toBe(500);
  expect(pace.overdraw(100 * KB, 500)).toBe(100);
  expect(pace.overdraw(100 * KB, 5000)).toBe(0);
});

test('twenty floods come through at the pace of all, and none is left behind', () => {
  const pace = new TokenBucket(options, 0);
  const floods = Array.from({ length: 20 }, () => ({ account: new OutputAccount(pace), readAtMs: 0, bytes: 0 }));
  for (let nowMs = 0; nowMs < 10_000; nowMs++) {
    for (const flood of floods) {
      if (flood.readAtMs > nowMs) continue;
      flood.bytes += 64 * KB;
      flood.readAtMs = nowMs + flood.account.spend(64 * KB, nowMs);
    }
  }
  const amounts = floods.map(({ bytes }) => bytes / KB);
  const total = amounts.reduce((sum, each) => sum + each, 0);
  // Ten seconds' pace, what there was at once, and each one's own.
  expect(total).toBeGreaterThan(10_000);
  expect(total).toBeLessThan(11_000 + 20 * 64 * 12);
  expect(Math.max(...amounts) - Math.min(...amounts)).toBeLessThanOrEqual(2 * 64);
});
