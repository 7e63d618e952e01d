// Rules of the output pump.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { OutputPump } from './pump.js';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function setup(limitBytes = 1_000_000) {
  const out: string[] = [];
  let limits = 0;
  const pump = new OutputPump({
    limitBytes,
    emit: (stream, text) => out.push(`${stream}:${text}`),
    onLimit: () => limits++,
  });
  return { pump, out, limits: () => limits };
}

test('the first pieces go out at once, what follows within the window is joined', () => {
  const { pump, out } = setup();
  for (const piece of ['a', 'b', 'c', 'd', 'e', 'f']) pump.push('stdout', Buffer.from(piece));
  expect(out).toEqual(['stdout:a', 'stdout:b', 'stdout:c', 'stdout:d']);
  vi.advanceTimersByTime(8);
  expect(out.at(-1)).toBe('stdout:ef');
});

test('a burst that goes on is joined, window after window', () => {
  const { pump, out } = setup();
  for (let i = 0; i < 40; i++) {
    pump.push('stdout', Buffer.from('x'));
    vi.advanceTimersByTime(1);
  }
  expect(out.length).toBeLessThan(10);
});

test('after a quiet window pieces go out at once again', () => {
  const { pump, out } = setup();
  for (const piece of ['a', 'b', 'c', 'd', 'e']) pump.push('stdout', Buffer.from(piece));
  vi.advanceTimersByTime(20);
  pump.push('stdout', Buffer.from('f'));
  expect(out.at(-1)).toBe('stdout:f');
});

test('after input pieces go out at once, whatever came before', () => {
  const { pump, out } = setup();
  for (let i = 0; i < 10; i++) pump.push('stdout', Buffer.from('x'));
  pump.expectAnswer();
  pump.push('stdout', Buffer.from('answer'));
  expect(out.at(-1)).toBe('stdout:xxxxxxanswer');
});

test('the order between stdout and stderr is kept', () => {
  const { pump, out } = setup();
  pump.push('stdout', Buffer.from('1'));
  pump.push('stdout', Buffer.from('2'));
  pump.push('stderr', Buffer.from('3'));
  pump.push('stdout', Buffer.from('4'));
  pump.end();
  expect(out).toEqual(['stdout:1', 'stdout:2', 'stderr:3', 'stdout:4']);
});

test('a code point that arrives in two pieces is not split', () => {
  const { pump, out } = setup();
  const smile = Buffer.from('😀');
  pump.push('stdout', smile.subarray(0, 2));
  vi.advanceTimersByTime(20);
  pump.push('stdout', smile.subarray(2));
  expect(out).toEqual(['stdout:😀']);
});

test('invalid bytes become U+FFFD, also an unfinished code point at the end', () => {
  const { pump, out } = setup();
  pump.push('stdout', Buffer.from([0x61, 0xff, 0x62]));
  pump.push('stdout', Buffer.from([0xf0, 0x9f]));
  pump.end();
  expect(out.join('')).toBe('stdout:a\ufffdbstdout:\ufffd');
});

test('a chunk is cut by size without splitting a pair', () => {
  const { pump, out } = setup();
  pump.push('stdout', Buffer.from(`x${'😀'.repeat(10_000)}`));
  expect(out.length).toBe(2);
  expect(out.every((entry) => !/[\ud800-\udbff]$/.test(entry))).toBe(true);
});

test('exactly the limit passes, one byte more ends it once and is not passed on', () => {
  const { pump, out, limits } = setup(4);
  pump.push('stdout', Buffer.from('abcd'));
  expect(limits()).toBe(0);
  pump.push('stdout', Buffer.from('e'));
  pump.push('stdout', Buffer.from('f'));
  pump.end();
  expect(out).toEqual(['stdout:abcd']);
  expect(limits()).toBe(1);
  expect(pump.bytes).toBe(4);
  expect(pump.truncated).toBe(true);
});
