// The plan of a chaos run: which fault comes when, on which part, for how long. A seed decides all of it. Pure.
import type { Seeded } from './seeded.js';

export const FAULT_KINDS = [
  'gateway killed',
  'gateway paused',
  'gateway told to go',
  'gateway cut from Redis',
  'gateway reset from Redis',
  'gateway clock jumped',
  'worker killed',
  'worker paused',
  'worker told to go',
  'worker cut from Redis',
  'worker cut from gateways',
  'worker reset from gateways',
  'worker clock jumped',
  'Redis paused',
  'Redis flushed',
  'Redis restarted with its data',
  'Redis restarted with old data',
  'Redis restarted empty',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface PlannedFault {
  readonly number: number;
  readonly kind: FaultKind;
  /** Since the start of the chaos, ms. */
  readonly atMs: number;
  /** How long it holds before it is mended, ms. */
  readonly holdMs: number;
  /** Which part of its kind, counted from 0. */
  readonly part: number;
  /** For kinds that have a size: from 0 to 1. */
  readonly size: number;
}

export interface PlanOptions {
  readonly durationMs: number;
  /** Parts of a kind. */
  readonly parts: number;
  /** Default: all. */
  readonly kinds?: readonly FaultKind[];
}

/** A fault holds this long, ms. */
const HOLD_MS = { low: 300, high: 5_000 } as const;
/** And is followed by this much peace, ms, counted from its mending. */
const PEACE_MS = { low: 500, high: 4_000 } as const;

/** Every kind comes once, in any order, before any comes again. */
export function planFaults(random: Seeded, options: PlanOptions): PlannedFault[] {
  const plan: PlannedFault[] = [];
  let atMs = random.int(PEACE_MS.low, PEACE_MS.high);
  for (;;) {
    for (const kind of random.shuffled(options.kinds ?? FAULT_KINDS)) {
      if (atMs >= options.durationMs) return plan;
      const holdMs = random.int(HOLD_MS.low, HOLD_MS.high);
      plan.push({
        number: plan.length + 1,
        kind,
        atMs,
        holdMs,
        part: random.int(0, options.parts - 1),
        size: random.next(),
      });
      atMs += holdMs + random.int(PEACE_MS.low, PEACE_MS.high);
    }
  }
}
