// The plan of a chaos run: which fault comes next, on which part, for how long. A seed decides all of it. Pure.
import type { Seeded } from './seeded.js';

export const FAULT_KINDS = [
  'gateway killed',
  'gateway paused',
  'gateway drained',
  'gateway cut from Redis',
  'gateway reset from Redis',
  'gateway clock jumped',
  'worker killed',
  'worker paused',
  'worker drained',
  'worker cut from Redis',
  'worker reset from Redis',
  'worker cut from gateways',
  'worker reset from gateways',
  'worker clock jumped',
  'engine proxy killed',
  'engine proxy paused',
  'Redis paused',
  'Redis flushed',
  'Redis restarted with its data',
  'Redis restarted with old data',
  'Redis restarted empty',
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];

export interface PlannedFault {
  /** Counted from 1. */
  readonly number: number;
  readonly kind: FaultKind;
  /** How long nothing is wrong before it, ms. */
  readonly peaceMs: number;
  /** How long it holds before it is mended, ms. */
  readonly holdMs: number;
  /** Which part of its kind, counted from 0. */
  readonly part: number;
  /** For a clock: how far it jumps, ms. */
  readonly jumpMs: number;
}

const PEACE_MS = { low: 500, high: 4_000 } as const;
const HOLD_MS = { low: 300, high: 5_000 } as const;
/** What a time service mends at once, what it mends at the first try after a boot, and a clock that was set wrong by hand. */
const JUMPS_MS = [-3_600_000, -60_000, -3_000, 3_000, 60_000, 3_600_000] as const;

/** Without an end. Every kind comes once, in any order, before any comes again. `parts`: how many there are of a kind; `pace`: see ChaosOptions. */
export function* faultPlan(
  random: Seeded,
  options: { parts: number; kinds?: readonly FaultKind[]; pace?: number },
): Generator<PlannedFault, never> {
  const { pace = 1 } = options;
  for (let number = 1; ; ) {
    for (const kind of random.shuffled(options.kinds ?? FAULT_KINDS)) {
      yield {
        number: number++,
        kind,
        peaceMs: random.int(PEACE_MS.low, PEACE_MS.high) * pace,
        holdMs: random.int(HOLD_MS.low, HOLD_MS.high) * pace,
        part: random.int(0, options.parts - 1),
        jumpMs: random.pick(JUMPS_MS),
      };
    }
  }
}
