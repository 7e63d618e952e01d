// A gateway is killed in the middle of output, again and again: each program goes on, unbroken, on the other gateway.
import { expect } from 'vitest';
import { judge, outputOf } from '../testkit/chaos/checker.js';
import { counter, dialogue, knownOutput, type Program } from '../testkit/chaos/program.js';
import { Seeded } from '../testkit/chaos/seeded.js';
import { assertNoLeaks } from '../testkit/leaks.js';
import { type Gateway, Stack } from '../testkit/stack.js';
import { until } from '@rungrid/testkit/until';
import { type Visit, Visitor } from '../testkit/chaos/visitor.js';

/** The gateway goes once both visitors have seen so many events, of a hundred and more. */
const SEEN = { low: 2, high: 40 } as const;
/** Rounds that do not count, at most, because a program was over before the kill. */
const MAX_VOIDS = 20;

/** `kills`: how often; two programs are there each time, one that prints and one that asks. */
export async function resumesAfterKill(options: { kills: number; seed: number }): Promise<void> {
  const random = new Seeded(options.seed);
  const stack = await Stack.start({ gateways: 2 });
  const broken: string[] = [];
  let kills = 0;
  let unbroken = 0;
  let voids = 0;
  try {
    while (kills < options.kills) {
      const visits = await oneKill(stack, { random, number: 2 * (kills + voids) });
      for (const visit of visits)
        broken.push(...faultsOf(visit).map((fault) => `run ${visit.program.number}: ${fault}`));
      if (visits.every((visit) => visit.legs.length > 1)) {
        kills += 1;
        unbroken += visits.filter((visit) => faultsOf(visit).length === 0).length;
      } else {
        voids += 1;
        if (voids > MAX_VOIDS) throw new Error('the programs are over too soon to be met in the middle');
      }
    }
    await assertNoLeaks(stack);
  } finally {
    console.info('resume after SIGKILL of the gateway in the middle of output');
    console.table({ seed: options.seed, kills, runs: 2 * kills, unbroken, 'rounds that do not count': voids });
    for (const line of broken) console.info(line);
    await stack.close();
  }
  expect(broken).toEqual([]);
  expect(unbroken).toBe(2 * options.kills);
}

/** What both visitors saw. One with a single socket was over before the kill. */
async function oneKill(stack: Stack, { random, number }: { random: Seeded; number: number }): Promise<Visit[]> {
  const [victim, other] = stack.gateways;
  if (victim === undefined || other === undefined) throw new Error('two gateways are wanted');
  let gateways: readonly Gateway[] = [victim];
  const town = { gateways: () => gateways, mint: (origin: string) => stack.mint(origin) };
  const programs: Program[] = [
    counter(number, { lines: 100, pauseMs: random.int(10, 40) }),
    dialogue(number + 1, { questions: 100 }),
  ];
  const visitors = programs.map(
    (_, index) => new Visitor(town, { random: random.fork(number + index), habits: { keeps: 1, drops: 0, fades: 0 } }),
  );
  let over = 0;
  const visits = Promise.all(
    visitors.map(async (visitor, index) => {
      const visit = await visitor.run(programs[index] as Program);
      over += 1;
      return visit;
    }),
  );
  const due = random.int(SEEN.low, SEEN.high);
  const inTheMiddle = () => visitors.every((visitor) => visitor.seen >= due);
  await until(() => over > 0 || inTheMiddle(), { what: 'output', timeoutMs: 20_000, everyMs: 5 });
  if (over === 0) {
    stack.forget(victim);
    gateways = [other];
    victim.process.signal('SIGKILL');
    await stack.addGateway();
  }
  const seen = await visits;
  for (const visitor of visitors) visitor.leave();
  return seen;
}

function faultsOf(visit: Visit): string[] {
  const { violations, ending } = judge(visit);
  const faults = violations.map(({ rule, detail }) => `${rule}: ${detail}`);
  if (ending !== 'exited') faults.push(`ended by ${ending}`);
  const output = outputOf(visit.legs);
  if (output !== knownOutput(visit.program, output)) faults.push('the output is not the known one');
  return faults;
}
