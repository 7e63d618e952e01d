// Rules of the default depth of the pool.
import { describe, expect, test } from 'vitest';
import { type AskedFloors, type Floors, type Machine, shelfFloors } from './floor.js';

const GIB = 2 ** 30;
const floors = (pipe: number, tty: number, compile: number): Floors => ({ pipe, tty, compile });

describe('nothing asked for', () => {
  test.each<[string, Machine, Floors]>([
    [
      'a large machine keeps the most',
      { memoryBytes: 64 * GIB, ceiling: 160, languages: 4, compiled: 1 },
      floors(16, 1, 1),
    ],
    [
      'half of the ceiling is for runs',
      { memoryBytes: 64 * GIB, ceiling: 40, languages: 4, compiled: 1 },
      floors(3, 1, 1),
    ],
    [
      'terminals wait until pipes have two',
      { memoryBytes: 64 * GIB, ceiling: 24, languages: 4, compiled: 1 },
      floors(3, 0, 0),
    ],
    ['a small machine keeps little', { memoryBytes: 2 * GIB, ceiling: 8, languages: 4, compiled: 1 }, floors(1, 0, 0)],
    ['memory bounds it', { memoryBytes: 4 * GIB, ceiling: 128, languages: 2, compiled: 0 }, floors(5, 1, 1)],
    ['every language has one', { memoryBytes: GIB, ceiling: 4, languages: 25, compiled: 9 }, floors(1, 0, 0)],
  ])('%s', (_, machine, expected) => {
    expect(shelfFloors(machine, {})).toEqual(expected);
  });

  test('all of them together stay within what is affordable', () => {
    for (let ceiling = 8; ceiling <= 256; ceiling += 4) {
      const machine = { memoryBytes: 64 * GIB, ceiling, languages: 4, compiled: 3 };
      const { pipe, tty, compile } = shelfFloors(machine, {});
      expect(4 * pipe + 4 * tty + 3 * compile).toBeLessThanOrEqual(ceiling / 2);
    }
  });
});

describe('what is asked for', () => {
  const small: Machine = { memoryBytes: GIB, ceiling: 4, languages: 4, compiled: 1 };
  const large: Machine = { memoryBytes: 64 * GIB, ceiling: 40, languages: 4, compiled: 1 };
  test.each<[string, Machine, AskedFloors, Floors]>([
    ['no pipes: nothing waits', large, { pipe: 0 }, floors(0, 0, 0)],
    ['pipes: the others have one', small, { pipe: 3 }, floors(3, 1, 1)],
    ['no terminals: more pipes', large, { tty: 0 }, floors(4, 0, 1)],
    ['terminals without pipes', small, { pipe: 0, tty: 2 }, floors(0, 2, 0)],
    ['many terminals leave each language its one on pipes', large, { tty: 16 }, floors(1, 16, 1)],
    ['undefined is not asked for', small, { pipe: undefined, tty: undefined }, floors(1, 0, 0)],
  ])('%s', (_, machine, asked, expected) => {
    expect(shelfFloors(machine, asked)).toEqual(expected);
  });
});
