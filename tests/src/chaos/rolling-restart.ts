// Replaces every gateway and worker under load, one after the other, as an upgrade does: no run is lost.
import { expect } from 'vitest';
import { assertNoLeaks } from '../testkit/leaks.js';
import { type Gateway, Stack, type Worker } from '../testkit/stack.js';
import { CHAOS_ENV } from './faults-under-load.js';
import { Load } from './load.js';
import { printReport, spread } from './report.js';

/** Before the restart so many runs show what is usual. */
const USUAL_RUNS = 30;
/** How long a service may drain, ms. */
const LEAVE_MS = 60_000;

/** `rounds`: how often all of them are replaced. */
export async function rollingRestart(options: { rounds: number; seed: number; visitors: number }): Promise<void> {
  const { seed, visitors } = options;
  const stack = await Stack.start({ gateways: 2, workers: 2, ...CHAOS_ENV });
  try {
    const load = new Load(stack, { seed, visitors, habits: { keeps: 0.5, drops: 0, fades: 0 } });
    let startMs = 0;
    let endMs = 0;
    const leaving: string[] = [];
    try {
      await load.reached(USUAL_RUNS, 60_000);
      startMs = performance.now();
      for (let round = 0; round < options.rounds; round++) {
        for (const gateway of stack.gateways.slice())
          leaving.push(await replace(stack, gateway, () => stack.addGateway()));
        for (const worker of stack.workers.slice()) leaving.push(await replace(stack, worker, () => stack.addWorker()));
      }
      endMs = performance.now();
    } finally {
      await load.stop();
      const during = load.firstBytes.filter(({ clickMs }) => clickMs >= startMs && clickMs <= endMs);
      const before = load.firstBytes.filter(({ clickMs }) => clickMs < startMs);
      printReport('rolling restart', {
        load,
        extra: {
          seed,
          'services replaced': leaving.length,
          ...spread(
            'click to first byte before',
            before.map(({ ms }) => ms),
          ),
          ...spread(
            'click to first byte during it',
            during.map(({ ms }) => ms),
          ),
        },
      });
    }
    expect(load.violations).toEqual([]);
    // A click that meets a gateway that drains is refused or its socket closes before the run is accepted: no run was lost then.
    const lost = [...load.endings.keys()].filter(
      (ending) => ending !== 'exited' && ending !== 'never_accepted' && !ending.startsWith('refused'),
    );
    expect(lost).toEqual([]);
    expect(leaving.filter((exit) => exit !== '0')).toEqual([]);
    await assertNoLeaks(stack);
  } finally {
    await stack.close();
  }
}

/** Starts another one, then sends SIGTERM to the old one, which gets no new clients. Returns its exit code. */
async function replace(stack: Stack, old: Gateway | Worker, start: () => Promise<unknown>): Promise<string> {
  await start();
  stack.forget(old);
  const { code, signal } = await old.process.stop(LEAVE_MS);
  return String(code ?? signal);
}
