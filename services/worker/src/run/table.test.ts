// Tests of the bounds of the table: detached runs, and ends kept for a resume.
import { expect, test } from 'vitest';
import type { Run } from './run.js';
import { RunTable } from './table.js';

const run = (id: string) => ({ id }) as unknown as Run;

test('past maxDetached the longest detached run expires; a run that was attached again does not count', () => {
  const table = new RunTable({ maxDetached: 2 });
  const expired: string[] = [];
  const wait = (each: Run) => table.detached(each, () => void expired.push(each.id));
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(run) as [Run, Run, Run, Run];
  wait(a);
  wait(b);
  table.detached(a, undefined);
  wait(c);
  expect(expired).toEqual([]);
  wait(d);
  expect(expired).toEqual(['b']);
});

test('kept ends are bounded, and dropped oldest first', () => {
  const table = new RunTable({ maxDetached: 1 });
  const forgotten: string[] = [];
  for (let i = 0; i < 258; i++) {
    const each = run(`r${i}`);
    table.keep(each, () => void forgotten.push(each.id));
  }
  expect(forgotten).toEqual(['r0', 'r1']);
});

test('removing a replaced run leaves its replacement', () => {
  const table = new RunTable({ maxDetached: 1 });
  const [first, second] = [run('same'), run('same')];
  table.add(first);
  table.add(second);
  table.remove(first);
  expect(table.get('same')).toBe(second);
  table.remove(second);
  expect(table.size).toBe(0);
});
