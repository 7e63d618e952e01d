// Rules of the default depth of the pool.
import { describe, expect, test } from 'vitest';
import { type ConfiguredMinIdle, type MinIdle, type Machine, minIdleByKind } from './min-idle.js';

const GIB = 2 ** 30;
const minIdle = (pipe: number, tty: number, compile: number): MinIdle => ({ pipe, tty, compile });

describe('by default', () => {
  test.each<[string, Machine, MinIdle]>([
    [
      'a large machine keeps the most',
      { memoryBytes: 64 * GIB, maxSize: 160, languages: 4, compiled: 1 },
      minIdle(16, 1, 1),
    ],
    [
      'half of the maxSize is for runs',
      { memoryBytes: 64 * GIB, maxSize: 40, languages: 4, compiled: 1 },
      minIdle(3, 1, 1),
    ],
    [
      'terminals wait until pipes have two',
      { memoryBytes: 64 * GIB, maxSize: 24, languages: 4, compiled: 1 },
      minIdle(3, 0, 0),
    ],
    ['a small machine keeps little', { memoryBytes: 2 * GIB, maxSize: 8, languages: 4, compiled: 1 }, minIdle(1, 0, 0)],
    ['memory bounds it', { memoryBytes: 4 * GIB, maxSize: 128, languages: 2, compiled: 0 }, minIdle(5, 1, 1)],
    ['every language has one', { memoryBytes: GIB, maxSize: 4, languages: 25, compiled: 9 }, minIdle(1, 0, 0)],
  ])('%s', (_, machine, expected) => {
    expect(minIdleByKind(machine, {})).toEqual(expected);
  });

  test('all warm sandboxes together stay within the memory share', () => {
    for (let maxSize = 8; maxSize <= 256; maxSize += 4) {
      const machine = { memoryBytes: 64 * GIB, maxSize, languages: 4, compiled: 3 };
      const { pipe, tty, compile } = minIdleByKind(machine, {});
      expect(4 * pipe + 4 * tty + 3 * compile).toBeLessThanOrEqual(maxSize / 2);
    }
  });
});

describe('when configured', () => {
  const small: Machine = { memoryBytes: GIB, maxSize: 4, languages: 4, compiled: 1 };
  const large: Machine = { memoryBytes: 64 * GIB, maxSize: 40, languages: 4, compiled: 1 };
  test.each<[string, Machine, ConfiguredMinIdle, MinIdle]>([
    ['no pipes: nothing waits', large, { pipe: 0 }, minIdle(0, 0, 0)],
    ['pipes: the others have one', small, { pipe: 3 }, minIdle(3, 1, 1)],
    ['no terminals: more pipes', large, { tty: 0 }, minIdle(4, 0, 1)],
    ['terminals without pipes', small, { pipe: 0, tty: 2 }, minIdle(0, 2, 0)],
    ['many terminals leave each language its one on pipes', large, { tty: 16 }, minIdle(1, 16, 1)],
    ['undefined is not asked for', small, { pipe: undefined, tty: undefined }, minIdle(1, 0, 0)],
  ])('%s', (_, machine, asked, expected) => {
    expect(minIdleByKind(machine, asked)).toEqual(expected);
  });
});
