// Tests of what the table bounds: runs that wait for a client to come back, and ends that are kept for one.
import { expect, test } from 'vitest';
import type { Run } from './run.js';
import { RunTable } from './table.js';

const run = (id: string) => ({ id }) as unknown as Run;

test('of those that wait, the one that has waited longest is given up; one that was joined does not count', () => {
  const table = new RunTable({ maxAlone: 2 });
  const given: string[] = [];
  const wait = (each: Run) => table.alone(each, () => void given.push(each.id));
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(run) as [Run, Run, Run, Run];
  wait(a);
  wait(b);
  table.alone(a, undefined);
  wait(c);
  expect(given).toEqual([]);
  wait(d);
  expect(given).toEqual(['b']);
});

test('kept ends are bounded, and forgotten in their order', () => {
  const table = new RunTable({ maxAlone: 1 });
  const forgotten: string[] = [];
  for (let i = 0; i < 258; i++) {
    const each = run(`r${i}`);
    table.keep(each, () => void forgotten.push(each.id));
  }
  expect(forgotten).toEqual(['r0', 'r1']);
});

test('a run that took the place of another is not removed with it', () => {
  const table = new RunTable({ maxAlone: 1 });
  const [first, second] = [run('same'), run('same')];
  table.add(first);
  table.add(second);
  table.remove(first);
  expect(table.get('same')).toBe(second);
  table.remove(second);
  expect(table.size).toBe(0);
});
