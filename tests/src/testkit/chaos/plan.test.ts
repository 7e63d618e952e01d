// Plans of faults: decided by the seed, every kind in turn.
import { expect, test } from 'vitest';
import { FAULT_KINDS, faultPlan, type PlannedFault } from './plan.js';
import { Seeded } from './seeded.js';

function plan(seed: number, count = 100): PlannedFault[] {
  const faults = faultPlan(new Seeded(seed), { parts: 2 });
  return Array.from({ length: count }, () => faults.next().value);
}

test('a seed is replayed: the same plan again, and another for another seed', () => {
  expect(plan(1)).toEqual(plan(1));
  expect(plan(1)).not.toEqual(plan(2));
});

test('every kind comes before any comes again', () => {
  const kinds = plan(3).map((fault) => fault.kind);
  expect(new Set(kinds.slice(0, FAULT_KINDS.length))).toEqual(new Set(FAULT_KINDS));
  expect(new Set(kinds.slice(FAULT_KINDS.length, 2 * FAULT_KINDS.length))).toEqual(new Set(FAULT_KINDS));
});

test('faults are numbered, and on parts that there are', () => {
  const faults = plan(4);
  expect(faults.map((fault) => fault.number)).toEqual(faults.map((_, index) => index + 1));
  expect(new Set(faults.map((fault) => fault.part))).toEqual(new Set([0, 1]));
});

test('kinds can be chosen', () => {
  const faults = faultPlan(new Seeded(5), { parts: 1, kinds: ['Redis flushed'] });
  expect([faults.next().value.kind, faults.next().value.kind]).toEqual(['Redis flushed', 'Redis flushed']);
});
