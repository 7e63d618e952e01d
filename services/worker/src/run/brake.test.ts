// Two reasons to wait, and one hand on the sandbox.
import { TokenBucket } from '@rungrid/kit/token-bucket';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Brake } from './brake.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setup() {
  const calls: string[] = [];
  const brake = new Brake(new TokenBucket({ perSecond: 100_000, capacity: 0 }, performance.now()));
  brake.on({ pause: () => calls.push('pause'), resume: () => calls.push('resume') });
  return { brake, calls };
}

/** Beyond a run's own allowance by what is paid in one second. */
const FLOOD = 65_536 + 100_000;

test('a flood is not read until it has paid, once, however often it is told', () => {
  const { brake, calls } = setup();
  brake.spent(65_536);
  expect(calls).toEqual([]);
  brake.spent(100_000);
  brake.spent(10_000);
  vi.advanceTimersByTime(999);
  expect(calls).toEqual(['pause']);
  vi.advanceTimersByTime(1);
  expect(calls).toEqual(['pause', 'resume']);
});

test('what nobody takes is not read again because it has paid', () => {
  const { brake, calls } = setup();
  brake.spent(FLOOD);
  brake.hold(true);
  vi.advanceTimersByTime(2000);
  expect(calls).not.toContain('resume');
  brake.hold(false);
  expect(calls.at(-1)).toBe('resume');
});

test('what has not paid is not read again because somebody takes it', () => {
  const { brake, calls } = setup();
  brake.hold(true);
  brake.spent(FLOOD);
  brake.hold(false);
  expect(calls).not.toContain('resume');
  vi.advanceTimersByTime(1000);
  expect(calls.at(-1)).toBe('resume');
});

test('a sandbox that is given back is left alone, and no timer stays', () => {
  const { brake, calls } = setup();
  brake.spent(FLOOD);
  brake.release();
  brake.hold(true);
  brake.hold(false);
  brake.spent(FLOOD);
  expect(calls).toEqual(['pause']);
  expect(vi.getTimerCount()).toBe(0);
});
