// Rules of the streams that wait for runs of their gateway.
import { expect, test } from 'vitest';
import { ParkedStreams } from './parked.js';

test('a gateway is given its own streams only, the one that waited longest first, each once', () => {
  const parked = new ParkedStreams<string>();
  expect([parked.add('a', 'a1'), parked.add('b', 'b1'), parked.add('a', 'a2')]).toEqual([true, true, true]);
  expect([parked.take('a'), parked.take('a'), parked.take('a')]).toEqual(['a1', 'a2', undefined]);
  expect(parked.take('c')).toBeUndefined();
  expect(parked.take('b')).toBe('b1');
});

test('a stream that ended is not handed out; one that was taken is not there to be removed', () => {
  const parked = new ParkedStreams<string>();
  parked.add('a', 'a1');
  parked.add('a', 'a2');
  parked.remove('a', 'a1');
  expect(parked.take('a')).toBe('a2');
  parked.remove('a', 'a2');
  expect(parked.take('a')).toBeUndefined();
});

test('a gateway that parks without end, and gateways without end, are refused', () => {
  const parked = new ParkedStreams<number>();
  const taken = Array.from({ length: 70 }, (_, index) => parked.add('a', index));
  expect(taken.indexOf(false)).toBe(64);
  const gateways = Array.from({ length: 1100 }, (_, index) => parked.add(`g${index}`, index));
  expect(gateways.indexOf(false)).toBe(1023);
});
