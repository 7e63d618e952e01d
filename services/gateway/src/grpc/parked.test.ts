// Rules of streams that are opened ahead.
import { EventEmitter } from 'node:events';
import { status } from '@grpc/grpc-js';
import type { Assigned, RunEvent } from '@rungrid/proto/gen/rungrid/v1/runner';
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
  readonly written: unknown[] = [];
  cancelled = false;
  cancel(): void {
    this.cancelled = true;
  }
  write(message: unknown): boolean {
    this.written.push(message);
    return true;
  }
  assign(runId: string): void {
    this.data({ seq: 0, assigned: { runId, epoch: 1 } });
  }
  data(event: RunEvent): void {
    this.emit('data', event);
  }
  over(code: number): void {
    this.emit('status', { code, details: '' });
  }
}

function setup() {
  const opened: FakeCall[] = [];
  const assigned: { run: string; call: unknown }[] = [];
  const lost: number[] = [];
  const parked = new ParkedCalls({
    gatewayId: 'gateway1',
    open: () => {
      const call = new FakeCall();
      opened.push(call);
      return call as unknown as RunCall;
    },
    onAssigned: ({ runId }: Assigned, { call }) => void assigned.push({ run: runId, call }),
    onLost: ({ code }) => void lost.push(code),
  });
  parked.fill();
  return { opened, assigned, lost, parked, first: opened[0] as FakeCall };
}

test('a parked stream says whose runs it waits for', () => {
  const { first, parked } = setup();
  expect(first.written).toEqual([{ input: { $case: 'park', value: { gatewayId: 'gateway1' } } }]);
  parked.close();
});

test('a stream with an assigned run is returned once, and replaced a little later', () => {
  const { opened, assigned, parked, first } = setup();
  const before = opened.length;
  first.assign('run1');
  expect(assigned).toEqual([{ run: 'run1', call: first }]);
  expect(opened.length).toBe(before);
  vi.advanceTimersByTime(100);
  expect(opened.length).toBe(before + 1);
  first.data({ seq: 1 });
  expect(assigned.length).toBe(1);
  parked.close();
  expect(first.cancelled).toBe(false);
});

test('a stream that ends while it is parked is opened again by the next fill', () => {
  const { opened, lost, parked, first } = setup();
  const before = parked.size;
  first.over(status.UNAVAILABLE);
  expect(lost).toEqual([status.UNAVAILABLE]);
  expect(parked.size).toBe(before - 1);
  parked.fill();
  expect(parked.size).toBe(before);
  expect(opened.length).toBe(before + 1);
  parked.close();
});

test('a stream that begins with anything but an assignment is cancelled', () => {
  const { assigned, lost, parked, first } = setup();
  first.data({ seq: 1, event: { $case: 'stdout', value: Buffer.from('x') } });
  expect(first.cancelled).toBe(true);
  expect(assigned).toEqual([]);
  // The cancel returns as an end, which is not reported.
  first.over(status.CANCELLED);
  expect(lost).toEqual([]);
  parked.close();
});

test('closing cancels what is parked, opens nothing more, and ignores an assignment that comes then', () => {
  const { opened, assigned, parked, first } = setup();
  parked.close();
  first.assign('run1');
  vi.advanceTimersByTime(1000);
  parked.fill();
  expect(opened.every((call) => call.cancelled)).toBe(true);
  expect(assigned).toEqual([]);
  expect(parked.size).toBe(0);
});
