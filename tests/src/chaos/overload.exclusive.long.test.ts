// Five times the load that can be served: refusals are fast, and accepted runs succeed.
import { expect, test } from 'vitest';
import { counter } from '../testkit/chaos/program.js';
import type { Client } from '../testkit/client.js';
import { assertNoLeaks } from '../testkit/leaks.js';
import type { RunHandle } from '../testkit/run-handle.js';
import { Stack } from '../testkit/stack.js';
import { quietFor } from '@rungrid/testkit/until';
import { Load } from './load.js';
import { spread } from './report.js';
import { seedOf } from './settings.js';

/** Visitors that run a program after another: more than there are sandboxes, so that they show what can be served. */
const SATURATING_VISITORS = 16;
const SATURATED_MS = 15_000;
const UNLOADED_RUNS = 60;
const OVERLOAD = 5;
const OVERLOADED_MS = 20_000;
/** Sockets on which the clicks come, in turn. */
const SOCKETS = 20;
/** As delivered, but that all visitors share one address here. */
const SETTINGS = {
  gatewayEnv: { GATEWAY_ADDRESS_SHARE: '1', GATEWAY_SITE_SHARE: '1', GATEWAY_RUNS_PER_SOCKET: '256' },
  workerEnv: { WORKER_POOL_MIN_IDLE: '6', WORKER_MAX_SANDBOXES: '12' },
} as const;

interface Click {
  readonly run: RunHandle;
  readonly atMs: number;
}

const program = (number: number) => counter(number, { lines: 3, pauseMs: 20 });

test('at five times its capacity it refuses quickly, and serves what it accepts', { timeout: 300_000 }, async () => {
  const stack = await Stack.start({ gateways: 2, workers: 1, ...SETTINGS });
  try {
    const unloaded = await oneAfterTheOther(stack);
    const capacity = await capacityOf(stack);
    const clicks = await clickAt(stack, OVERLOAD * capacity);
    const ended = await Promise.all(clicks.map(async (click) => ({ click, end: await click.run.end(90_000) })));
    const refused = ended.filter(({ click }) => click.run.events[0]?.event === 'error');
    const accepted = ended.filter(({ click }) => click.run.events[0]?.event === 'queued');
    console.info('overload');
    console.table({
      'capacity, runs a second': Math.round(capacity * 10) / 10,
      'clicks a second': Math.round(OVERLOAD * capacity * 10) / 10,
      ...spread('unloaded: click to first byte', unloaded),
      ...spread(
        'accepted: click to first byte',
        accepted.flatMap(({ click }) => timeTo(click, 'stdout')),
      ),
      ...spread(
        'refused: click to refusal',
        refused.flatMap(({ click }) => timeTo(click, 'error')),
      ),
    });
    expect(refused.length).toBeGreaterThan(0);
    expect(accepted.length).toBeGreaterThan(0);
    expect(new Set(refused.map(({ end }) => (end.event === 'error' ? end.data.code : end.event)))).toEqual(
      new Set(['overloaded']),
    );
    expect(accepted.filter(({ end }) => end.event === 'error')).toEqual([]);
    await assertNoLeaks(stack);
  } finally {
    await stack.close();
  }
});

/** Click to first byte of runs that have the machine for themselves, ms. */
async function oneAfterTheOther(stack: Stack): Promise<number[]> {
  const client = await stack.connect();
  const times: number[] = [];
  for (let number = 0; number < UNLOADED_RUNS; number++) {
    const click = clickOn(client, number);
    await click.run.exit();
    times.push(...timeTo(click, 'stdout'));
  }
  await client.close();
  return times;
}

/** Runs a second that end well while there is always one more. */
async function capacityOf(stack: Stack): Promise<number> {
  const habits = { keeps: 0, drops: 0, fades: 0 };
  const load = new Load(stack, { seed: seedOf(5), visitors: SATURATING_VISITORS, habits, program });
  await load.reached(2 * SATURATING_VISITORS, 60_000);
  const before = { runs: load.runs, ms: performance.now() };
  await quietFor(SATURATED_MS);
  const capacity = ((load.runs - before.runs) * 1000) / (performance.now() - before.ms);
  await load.stop();
  expect(load.violations).toEqual([]);
  return capacity;
}

/** Clicks so many times a second, whatever comes of them. */
async function clickAt(stack: Stack, perSecond: number): Promise<Click[]> {
  const clients = await Promise.all(
    Array.from({ length: SOCKETS }, (_, index) =>
      stack.connect({ gateway: stack.gateways[index % 2] ?? stack.gateway }),
    ),
  );
  const clicks: Click[] = [];
  const startMs = performance.now();
  for (;;) {
    const elapsedMs = performance.now() - startMs;
    if (elapsedMs > OVERLOADED_MS) return clicks;
    while (clicks.length < (elapsedMs * perSecond) / 1000) {
      const client = clients[clicks.length % SOCKETS];
      if (client !== undefined) clicks.push(clickOn(client, clicks.length));
    }
    await quietFor(2);
  }
}

function clickOn(client: Client, number: number): Click {
  return { run: client.run(program(number).code, 'python'), atMs: performance.now() };
}

function timeTo({ run, atMs }: Click, event: string): number[] {
  const time = run.timesMs[run.events.findIndex((frame) => frame.event === event)];
  return time === undefined ? [] : [time - atMs];
}
