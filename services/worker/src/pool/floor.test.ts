// Rules of the default depth of the pool.
import { expect, test } from 'vitest';
import { warmFloor } from './floor.js';

const GIB = 2 ** 30;

test.each([
  ['a large machine keeps the most', { memoryBytes: 64 * GIB, ceiling: 128, languages: 4 }, 16],
  ['half of the ceiling is for runs', { memoryBytes: 64 * GIB, ceiling: 20, languages: 4 }, 2],
  ['a small machine keeps little', { memoryBytes: 2 * GIB, ceiling: 8, languages: 4 }, 1],
  ['memory bounds it', { memoryBytes: 4 * GIB, ceiling: 128, languages: 2 }, 6],
  ['every language has one', { memoryBytes: GIB, ceiling: 4, languages: 25 }, 1],
])('%s', (_, machine, floor) => {
  expect(warmFloor(machine)).toBe(floor);
});
