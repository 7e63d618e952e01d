// Rules of streams that are opened ahead.
import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { ParkedCalls } from './parked.js';
import type { RunCall } from './run-stream.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

class FakeCall extends EventEmitter {
  cancelled = false;
  cancel(): void {
    this.cancelled = true;
  }
}

function setup() {
  const opened: FakeCall[] = [];
  const parked = new ParkedCalls(() => {
    const call = new FakeCall();
    opened.push(call);
    return call as unknown as RunCall;
  });
  return { opened, parked };
}

test('a taken stream was open before, and is replaced a little later', () => {
  const { opened, parked } = setup();
  parked.fill();
  const before = opened.length;
  expect(parked.take()).toBe(opened[0]);
  expect(opened.length).toBe(before);
  vi.advanceTimersByTime(100);
  expect(opened.length).toBe(before + 1);
  parked.close();
});

test('with none parked, one is opened', () => {
  const { opened, parked } = setup();
  expect(parked.take()).toBe(opened[0]);
  parked.close();
});

test('a stream that ends while it is parked is not handed out', () => {
  const { opened, parked } = setup();
  parked.fill();
  opened[0]?.emit('error', new Error('gone'));
  expect(parked.take()).toBe(opened[1]);
  parked.close();
});

test('closing cancels what is parked, and opens nothing more', () => {
  const { opened, parked } = setup();
  parked.fill();
  parked.take();
  parked.close();
  vi.advanceTimersByTime(1000);
  expect(opened.slice(1).every((call) => call.cancelled)).toBe(true);
  parked.fill();
  expect(parked.size).toBe(0);
});
