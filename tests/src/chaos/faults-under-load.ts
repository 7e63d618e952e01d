// Chaos: a fleet under load, struck by a seeded plan of faults, and everything that must hold then and after.
import { expect } from 'vitest';
import { FAULT_KINDS, type FaultKind } from '../testkit/chaos/plan.js';
import { Seeded } from '../testkit/chaos/seeded.js';
import { assertNoLeaks } from '../testkit/leaks.js';
import { quietFor } from '@rungrid/testkit/until';
import { Fleet } from './fleet.js';
import { Load } from './load.js';
import { Nemesis } from './nemesis.js';
import { printReport } from './report.js';

/** Everything is given back so long after the last run at most, ms. */
const SETTLE_MS = 30_000;
/** The longest time in which the wanted number of runs may come, once the faults have lasted as long as they shall, ms. */
const MORE_RUNS_MS = 1_800_000;

export interface ChaosOptions {
  readonly seed: number;
  readonly durationMs: number;
  /** Gateways, and as many workers. */
  readonly size: number;
  readonly visitors: number;
  /** At least so many runs; the faults go on until then. */
  readonly runs: number;
  /** Default: all. */
  readonly kinds?: readonly FaultKind[];
  /** Factor of all times without a fault and with one. Default 1. */
  readonly pace?: number;
}

/**
 * A run that no worker takes is refused before its client times out, one that is not resumed ends before the leak check, and all clients,
 * which share one address, may fill the queue.
 */
export const CHAOS_ENV = {
  gatewayEnv: {
    GATEWAY_QUEUE_TTL_MS: '20000',
    GATEWAY_START_MS: '20000',
    GATEWAY_DRAIN_MS: '3000',
    GATEWAY_ADDRESS_SHARE: '1',
    GATEWAY_SITE_SHARE: '1',
  },
  workerEnv: {
    WORKER_POOL_MIN_IDLE: '4',
    WORKER_MAX_SANDBOXES: '12',
    WORKER_RESUME_MS: '20000',
    WORKER_DRAIN_MS: '20000',
  },
} as const;

export async function faultsUnderLoad(options: ChaosOptions): Promise<void> {
  const { seed, durationMs, visitors } = options;
  console.info(`chaos seed=${seed}: the same again by RUNGRID_CHAOS_SEED=${seed} RUNGRID_CHAOS_MS=${durationMs}`);
  const fleet = await Fleet.start(options.size, CHAOS_ENV);
  try {
    const load = new Load(fleet.stack, { seed, visitors, habits: { keeps: 0.6, drops: 0.1, fades: 0.1 } });
    const kinds = options.kinds ?? FAULT_KINDS;
    const nemesis = new Nemesis({ fleet, random: new Seeded(seed), kinds, pace: options.pace ?? 1 });
    try {
      await Promise.race([quietFor(durationMs).then(() => load.reached(options.runs, MORE_RUNS_MS)), nemesis.over]);
      await nemesis.stop();
    } finally {
      await load.stop();
      printReport('chaos', { load, strikes: nemesis.log, extra: { seed, faults: nemesis.log.length } });
    }
    await assertNoLeaks(fleet.stack, { settleMs: SETTLE_MS });
    expect(load.violations).toEqual([]);
    expect(load.accepted).toBe(load.terminals + load.lostWithSocket);
    expect(load.endings.get('exited')).toBeGreaterThan(0);
    await serves(fleet);
  } finally {
    await fleet.close();
  }
}

/** Every gateway serves a run. */
export async function serves({ stack }: Pick<Fleet, 'stack'>): Promise<void> {
  for (const gateway of stack.gateways) {
    const client = await stack.connect({ gateway });
    const run = client.run('print("well")', 'python');
    await run.exit();
    expect(run.stdout).toBe('well\n');
    await client.close();
  }
}
