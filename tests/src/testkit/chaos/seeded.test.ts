// What a seed decides: the same numbers again, within their ranges, and other ones for another seed.
import { expect, test } from 'vitest';
import { Seeded } from './seeded.js';

const draw = (source: Seeded, count = 1000) => Array.from({ length: count }, () => source.next());

test('the same seed gives the same numbers, another one others', () => {
  expect(draw(new Seeded(7))).toEqual(draw(new Seeded(7)));
  expect(draw(new Seeded(7))).not.toEqual(draw(new Seeded(8)));
});

test('numbers are at least 0, less than 1, and spread', () => {
  const numbers = draw(new Seeded(1), 10_000);
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
  const tenths = new Set(numbers.map((number) => Math.floor(number * 10)));
  expect(tenths.size).toBe(10);
});

test('whole numbers reach both ends of their range and nothing outside', () => {
  const source = new Seeded(3);
  const seen = new Set(Array.from({ length: 1000 }, () => source.int(2, 5)));
  expect(seen).toEqual(new Set([2, 3, 4, 5]));
});

test('a shuffle keeps every thing', () => {
  const things = ['a', 'b', 'c', 'd'];
  expect(new Seeded(5).shuffled(things).sort()).toEqual(things);
});

test('forks differ from each other, and are the same again for the same seed', () => {
  const fork = (seed: number, index: number) => draw(new Seeded(seed).fork(index), 10);
  expect(fork(9, 0)).toEqual(fork(9, 0));
  expect(fork(9, 0)).not.toEqual(fork(9, 1));
});

test('picking from nothing is an error', () => {
  expect(() => new Seeded(1).pick([])).toThrow('nothing');
});
