// Rules of the throttle: two independent reasons to pause, one caller of pause() and resume().
import { TokenBucket } from '@rungrid/kit/token-bucket';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { OutputThrottle } from './throttle.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setup() {
  const calls: string[] = [];
  const throttle = new OutputThrottle(new TokenBucket({ perSecond: 100_000, capacity: 0 }, performance.now()));
  throttle.bind({ pause: () => calls.push('pause'), resume: () => calls.push('resume') });
  return { throttle, calls };
}

/** A run's own allowance and one second of the shared rate. */
const FLOOD = 65_536 + 100_000;

test('a run over budget is paused once, until its debt is paid', () => {
  const { throttle, calls } = setup();
  throttle.consume(65_536);
  expect(calls).toEqual([]);
  throttle.consume(100_000);
  throttle.consume(10_000);
  vi.advanceTimersByTime(999);
  expect(calls).toEqual(['pause']);
  vi.advanceTimersByTime(1);
  expect(calls).toEqual(['pause', 'resume']);
});

test('a paid debt does not resume a run whose subscriber is congested', () => {
  const { throttle, calls } = setup();
  throttle.consume(FLOOD);
  throttle.hold(true);
  vi.advanceTimersByTime(2000);
  expect(calls).not.toContain('resume');
  throttle.hold(false);
  expect(calls.at(-1)).toBe('resume');
});

test('a subscriber that takes events again does not resume a run over budget', () => {
  const { throttle, calls } = setup();
  throttle.hold(true);
  throttle.consume(FLOOD);
  throttle.hold(false);
  expect(calls).not.toContain('resume');
  vi.advanceTimersByTime(1000);
  expect(calls.at(-1)).toBe('resume');
});

test('a released sandbox is not touched again, and no timer is left', () => {
  const { throttle, calls } = setup();
  throttle.consume(FLOOD);
  throttle.release();
  throttle.hold(true);
  throttle.hold(false);
  throttle.consume(FLOOD);
  expect(calls).toEqual(['pause']);
  expect(vi.getTimerCount()).toBe(0);
});
