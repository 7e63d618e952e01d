// How messages are cut and joined, by table.
import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { frame, FrameReader } from './framing.js';
import { STATUS } from './status.js';
import { ECHO } from './testkit.js';

const MAX = 5000;
const message = (text: string) => frame(ECHO.request.encode(text));
const MESSAGES = ['', 'a', 'hello', 'é'.repeat(700), '', 'x'.repeat(MAX)];
const WIRE = Buffer.concat(MESSAGES.map(message));

function read(chunks: readonly Buffer[]) {
  const heard: string[] = [];
  const reader = new FrameReader({ maxBytes: MAX, onMessage: (bytes) => void heard.push(bytes.toString()) });
  const faults = chunks.flatMap((chunk) => reader.push(chunk) ?? []);
  return { heard, faults, midMessage: reader.midMessage };
}

test('a message is a flag, its length and itself', () => {
  expect([...message('ab')]).toEqual([0, 0, 0, 0, 2, 97, 98]);
});

test('messages come whole and in order, wherever the wire is cut in two', () => {
  for (let at = 0; at <= WIRE.length; at++) {
    const { heard, faults, midMessage } = read([WIRE.subarray(0, at), WIRE.subarray(at)]);
    expect(heard).toEqual(MESSAGES);
    expect(faults).toEqual([]);
    expect(midMessage).toBe(false);
  }
});

test.each([1, 2, 3, 4, 5, 6, 7, 1023, 1024, 1025, 4096, WIRE.length])('they do in pieces of %i bytes', (size) => {
  const chunks = Array.from({ length: Math.ceil(WIRE.length / size) }, (_, index) =>
    WIRE.subarray(index * size, (index + 1) * size),
  );
  expect(read(chunks)).toEqual({ heard: MESSAGES, faults: [], midMessage: false });
});

test('a message that is whole in its chunk is not copied', () => {
  const chunk = message('hello');
  let given: Buffer | undefined;
  new FrameReader({ maxBytes: MAX, onMessage: (bytes) => void (given = bytes) }).push(chunk);
  chunk[5] = 'j'.charCodeAt(0);
  expect(given?.toString()).toBe('jello');
});

const oversize = Buffer.from([0, 0, 0, 0x13, 0x89]);
test.each([
  { name: 'one byte too long', wire: oversize, code: STATUS.RESOURCE_EXHAUSTED },
  { name: '4 GB', wire: Buffer.from([0, 0xff, 0xff, 0xff, 0xff]), code: STATUS.RESOURCE_EXHAUSTED },
  { name: 'compressed', wire: Buffer.from([1, 0, 0, 0, 1, 97]), code: STATUS.INTERNAL },
  { name: 'a flag that is none', wire: Buffer.from([7, 0, 0, 0, 1, 97]), code: STATUS.INTERNAL },
])('$name: refused by its prefix, after what came before, and nothing follows', ({ wire, code }) => {
  const whole = Buffer.concat([message('before'), wire, message('after')]);
  for (let at = 0; at <= whole.length; at++) {
    const { heard, faults } = read([whole.subarray(0, at), whole.subarray(at)]);
    expect(heard).toEqual(['before']);
    expect(faults.map((fault) => fault.code)).toEqual([code]);
  }
});

test('a part of a message is known as such', () => {
  for (let at = 1; at < 10; at++) expect(read([message('hello').subarray(0, at)]).midMessage).toBe(true);
});

test('nothing is delivered after stop, also not from the chunk in hand', () => {
  const heard: string[] = [];
  const reader = new FrameReader({
    maxBytes: MAX,
    onMessage: (bytes) => {
      heard.push(bytes.toString());
      reader.stop();
    },
  });
  reader.push(Buffer.concat([message('one'), message('two')]));
  reader.push(message('three'));
  expect(heard).toEqual(['one']);
});
