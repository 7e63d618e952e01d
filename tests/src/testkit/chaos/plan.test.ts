// Plans of faults: decided by the seed, one fault at a time, every kind in turn.
import { expect, test } from 'vitest';
import { FAULT_KINDS, planFaults } from './plan.js';
import { Seeded } from './seeded.js';

const plan = (seed: number) => planFaults(new Seeded(seed), { durationMs: 600_000, parts: 2 });

test('a seed is replayed: the same plan again, and another for another seed', () => {
  expect(plan(1)).toEqual(plan(1));
  expect(plan(1)).not.toEqual(plan(2));
});

test('every kind comes before any comes again', () => {
  const kinds = plan(3).map((fault) => fault.kind);
  expect(new Set(kinds.slice(0, FAULT_KINDS.length))).toEqual(new Set(FAULT_KINDS));
  expect(new Set(kinds.slice(FAULT_KINDS.length, 2 * FAULT_KINDS.length))).toEqual(new Set(FAULT_KINDS));
});

test('a fault begins after the one before it is mended, within the time and on a part that there is', () => {
  const faults = plan(4);
  faults.forEach((fault, index) => {
    const before = faults[index - 1];
    if (before !== undefined) expect(fault.atMs).toBeGreaterThan(before.atMs + before.holdMs);
    expect(fault.atMs).toBeLessThan(600_000);
    expect([0, 1]).toContain(fault.part);
  });
});
