// A gateway is killed in the middle of output, again and again: each program goes on, unbroken, on the other gateway.
import { expect } from 'vitest';
import { judge, outputOf } from '../testkit/chaos/checker.js';
import { counter, dialogue, knownOutput, type Program } from '../testkit/chaos/program.js';
import { Seeded } from '../testkit/chaos/seeded.js';
import { assertNoLeaks } from '../testkit/leaks.js';
import { type Gateway, Stack } from '../testkit/stack.js';
import { until } from '../testkit/wait.js';
import { type Visit, Visitor } from '../testkit/chaos/visitor.js';

/** The gateway goes once a visitor has seen so many events, of 60 and more. */
const SEEN = { low: 2, high: 40 } as const;

/** `kills`: how often; two programs are there each time, one that prints and one that asks. */
export async function resumesAfterKill(options: { kills: number; seed: number }): Promise<void> {
  const random = new Seeded(options.seed);
  const stack = await Stack.start({ gateways: 2 });
  const broken: string[] = [];
  let unbroken = 0;
  try {
    for (let kill = 1; kill <= options.kills; kill++) {
      for (const visit of await oneKill(stack, { random, number: 2 * kill })) {
        const faults = faultsOf(visit);
        if (faults.length === 0) unbroken += 1;
        else broken.push(`kill ${kill}, run ${visit.program.number}: ${faults.join('; ')}`);
      }
    }
    await assertNoLeaks(stack);
  } finally {
    console.info('resume after SIGKILL of the gateway in the middle of output');
    console.table({ seed: options.seed, kills: options.kills, runs: 2 * options.kills, unbroken });
    for (const line of broken) console.info(line);
    await stack.close();
  }
  expect(broken).toEqual([]);
  expect(unbroken).toBe(2 * options.kills);
}

async function oneKill(stack: Stack, { random, number }: { random: Seeded; number: number }): Promise<Visit[]> {
  const [victim, other] = stack.gateways;
  if (victim === undefined || other === undefined) throw new Error('two gateways are wanted');
  let gateways: readonly Gateway[] = [victim];
  const town = { gateways: () => gateways, mint: (origin: string) => stack.mint(origin) };
  const programs: Program[] = [
    counter(number, { lines: 60, pauseMs: random.int(10, 40) }),
    dialogue(number + 1, { questions: 60 }),
  ];
  const visitors = programs.map(
    (_, index) => new Visitor(town, { random: random.fork(number + index), habits: { keeps: 1, drops: 0, fades: 0 } }),
  );
  const visits = Promise.all(programs.map((program, index) => visitors[index]?.run(program) ?? never()));
  const due = random.int(SEEN.low, SEEN.high);
  await until(() => visitors.every((visitor) => visitor.seen >= due), {
    what: 'output',
    timeoutMs: 20_000,
    everyMs: 5,
  });
  stack.forget(victim);
  gateways = [other];
  victim.process.signal('SIGKILL');
  const [seen] = await Promise.all([visits, stack.addGateway()]);
  await Promise.all(visitors.map((visitor) => visitor.leave()));
  return seen;
}

function faultsOf(visit: Visit): string[] {
  const { violations, ending } = judge(visit);
  const faults = violations.map(({ rule, detail }) => `${rule}: ${detail}`);
  if (ending !== 'exited') faults.push(`ended by ${ending}`);
  const output = outputOf(visit.legs);
  if (output !== knownOutput(visit.program, output)) faults.push('the output is not the known one');
  if (visit.legs.length < 2) faults.push('it was over before the kill');
  return faults;
}

function never(): never {
  throw new Error('as many visitors as programs');
}
