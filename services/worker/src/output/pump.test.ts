// Rules of the output pump.
import { isUtf8 } from 'node:buffer';
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
    emit: (stream, bytes) => {
      if (!isUtf8(bytes)) throw new Error('not UTF-8');
      out.push(`${stream}:${bytes.toString()}`);
    },
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

test('what comes out is what one decoder makes of the whole, wherever it is cut in two', () => {
  const bytes = Buffer.concat([
    Buffer.from('aé€😀\u0000'),
    Buffer.from([
      0xff, 0xc3, 0x28, 0xe2, 0x82, 0x41, 0xf0, 0x9f, 0x98, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0x80, 0x80, 0x80, 0x80,
    ]),
    Buffer.from('😀é'),
    Buffer.from([0xe2, 0x82]),
  ]);
  for (let at = 0; at <= bytes.length; at++) {
    const { pump, out } = setup();
    pump.push('stdout', bytes.subarray(0, at));
    pump.push('stdout', bytes.subarray(at));
    pump.end();
    expect(out.map((entry) => entry.slice('stdout:'.length)).join('')).toBe(bytes.toString());
  }
});

test('a chunk is cut by size, never within a code point', () => {
  const { pump, out } = setup();
  const text = `x${'😀'.repeat(10_000)}`;
  pump.push('stdout', Buffer.from(text));
  expect(out.map((entry) => Buffer.byteLength(entry) - 'stdout:'.length)).toEqual([16_381, 16_384, 7236]);
  expect(out.map((entry) => entry.slice('stdout:'.length)).join('')).toBe(text);
});

test('a piece that goes out alone is not copied', () => {
  const chunk = Buffer.from('hello');
  let given: Buffer | undefined;
  new OutputPump({ limitBytes: 100, emit: (_, bytes) => void (given = bytes), onLimit: () => undefined }).push(
    'stdout',
    chunk,
  );
  expect(given?.buffer).toBe(chunk.buffer);
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
