// Rules of the output budget: interactive output and a single flood pass; concurrent floods share the rate.
import { TokenBucket } from '@rungrid/kit/token-bucket';
import { expect, test } from 'vitest';
import { OutputBudget } from './budget.js';

const KB = 1024;
const options = { perSecond: 1000 * KB, capacity: 1000 * KB };

test('output within a run’s own allowance never waits, however much others write', () => {
  const shared = new TokenBucket(options, 0);
  shared.consumeOver(9000 * KB, 0);
  const budget = new OutputBudget(shared);
  expect(budget.consume(64 * KB, 0)).toBe(0);
  for (let second = 1; second < 10; second++) expect(budget.consume(64 * KB, second * 1000)).toBe(0);
});

test('a megabyte from a single run is not throttled', () => {
  const budget = new OutputBudget(new TokenBucket(options, 0));
  for (let i = 0; i < 16; i++) expect(budget.consume(64 * KB, i)).toBe(0);
});

test('past the shared budget, each run waits for what it consumed', () => {
  const shared = new TokenBucket(options, 0);
  const floods = Array.from({ length: 3 }, () => new OutputBudget(shared));
  for (const flood of floods) flood.consume(64 * KB, 0);
  expect(floods[0]?.consume(1000 * KB, 0)).toBe(0);
  expect(floods[1]?.consume(100 * KB, 0)).toBe(100);
  // Behind the one before it.
  expect(floods[2]?.consume(100 * KB, 0)).toBe(200);
});

test('a debt is paid by waiting', () => {
  const shared = new TokenBucket(options, 0);
  expect(shared.consumeOver(1500 * KB, 0)).toBe(500);
  expect(shared.consumeOver(100 * KB, 500)).toBe(100);
  expect(shared.consumeOver(100 * KB, 5000)).toBe(0);
});

test('twenty floods share the rate evenly', () => {
  const shared = new TokenBucket(options, 0);
  const floods = Array.from({ length: 20 }, () => ({ budget: new OutputBudget(shared), readAtMs: 0, bytes: 0 }));
  for (let nowMs = 0; nowMs < 10_000; nowMs++) {
    for (const flood of floods) {
      if (flood.readAtMs > nowMs) continue;
      flood.bytes += 64 * KB;
      flood.readAtMs = nowMs + flood.budget.consume(64 * KB, nowMs);
    }
  }
  const amounts = floods.map(({ bytes }) => bytes / KB);
  const total = amounts.reduce((sum, each) => sum + each, 0);
  // Ten seconds at the rate, the burst, and each run's own allowance.
  expect(total).toBeGreaterThan(10_000);
  expect(total).toBeLessThan(11_000 + 20 * 64 * 12);
  expect(Math.max(...amounts) - Math.min(...amounts)).toBeLessThanOrEqual(2 * 64);
});
