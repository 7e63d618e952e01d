// Strikes a fleet with the faults of a plan, one after the other, and keeps the log of them.
import { faultPlan, type FaultKind } from '../testkit/chaos/plan.js';
import type { Seeded } from '../testkit/chaos/seeded.js';
import { quietFor } from '@rungrid/testkit/until';
import { strike, targetOf } from './faults.js';
import type { Fleet } from './fleet.js';

export interface Strike {
  readonly number: number;
  /** Since the nemesis began, s. */
  readonly at: number;
  readonly fault: FaultKind;
  readonly target: string;
  /** Until its mending began, and how long that took, s. */
  readonly held: number;
  readonly mending: number;
  /** For a clock: how far it jumped, s. */
  readonly jump: number | undefined;
}

export class Nemesis {
  readonly log: Strike[] = [];
  /** Rejects when a fault cannot be mended; resolves after `stop`, with all mended. */
  readonly over: Promise<void>;
  readonly #startMs = performance.now();
  readonly #options: { fleet: Fleet; random: Seeded; kinds?: readonly FaultKind[]; pace?: number };
  #stopped = false;

  constructor(options: { fleet: Fleet; random: Seeded; kinds?: readonly FaultKind[]; pace?: number }) {
    this.#options = options;
    this.over = this.#run();
    // stop() reports a failure.
    this.over.catch(() => undefined);
  }

  /** No fault begins any more. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.over;
  }

  async #run(): Promise<void> {
    const { fleet, random, ...rest } = this.#options;
    for (const planned of faultPlan(random, { parts: fleet.workers.length, ...rest })) {
      await quietFor(planned.peaceMs);
      if (this.#stopped) return;
      const target = targetOf(fleet, planned);
      const atMs = performance.now();
      console.info(
        `chaos seed=${random.seed} t=${this.#since(atMs)} fault=${planned.number} ${planned.kind}: ${target}`,
      );
      const mend = await strike(fleet, planned);
      await quietFor(planned.holdMs);
      const mendMs = performance.now();
      await mend();
      this.log.push({
        number: planned.number,
        at: this.#since(atMs),
        fault: planned.kind,
        target,
        held: seconds(mendMs - atMs),
        mending: seconds(performance.now() - mendMs),
        jump: planned.kind.endsWith('clock jumped') ? planned.jumpMs / 1000 : undefined,
      });
    }
  }

  #since(timeMs: number): number {
    return seconds(timeMs - this.#startMs);
  }
}

function seconds(timeMs: number): number {
  return Math.round(timeMs / 100) / 10;
}
