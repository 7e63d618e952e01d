// Twenty bombs at once, kind by kind: each ends for its own reason, and a neighbour who types goes on.
import { type Bomb, BOMBS } from '../bombs.js';
import { BenchClient, endOf, mintTokens } from '../client.js';
import { startNeighbour } from '../neighbour.js';
import type { Row } from '../report.js';
import { type Scenario, untilMs } from '../scenario.js';
import type { Target } from '../stack.js';
import { summarise } from '../summary.js';

const AT_ONCE = 20;
/** Sockets that the bombs share. */
const SOCKETS = 4;
const IDLE_MS = 2_000;
const ROUNDS = 3;
/** Between two rounds: the pool fills again. */
const REST_MS = 3_000;
const END_TIMEOUT_MS = 120_000;

export const bombsScenario: Scenario = {
  name: 'bombs',
  title: 'twenty bombs at once, kind by kind and mixed, beside a neighbour who types',
  languages: ['c'],
  ownStack: true,
  // A worker by itself: the others' pool does not pay for another language.
  workerEnv: {},
  run: async (target, options) => {
    const rows: Row[] = [];
    const kinds: [string, readonly Bomb[]][] = [
      ...BOMBS.map((bomb) => [bomb.name, [bomb]] as [string, Bomb[]]),
      ['mixed', BOMBS],
    ];
    for (const [name, bombs] of kinds)
      rows.push(...(await kind(target, { name, bombs, rounds: options.quick ? 1 : ROUNDS })));
    return rows;
  },
};

async function kind(target: Target, given: { name: string; bombs: readonly Bomb[]; rounds: number }): Promise<Row[]> {
  const { name, bombs, rounds } = given;
  const tokens = mintTokens(target.key, 1 + AT_ONCE * rounds);
  const clients = await Promise.all(Array.from({ length: SOCKETS }, () => BenchClient.open(target.url)));
  const neighbour = await startNeighbour(target.url, tokens.pop() ?? '');
  const samples: number[] = [];
  let asTheyShould = 0;
  try {
    await neighbour.samples();
    for (let round = 0; round < rounds; round++) {
      await untilMs(performance.now() + (round === 0 ? IDLE_MS : REST_MS));
      await neighbour.samples();
      const ends = await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, index) => {
          const bomb = bombs[index % bombs.length] as Bomb;
          const client = clients[index % SOCKETS] as BenchClient;
          const { code, language, reason } = bomb;
          const run = await endOf(client.click({ code, language }, tokens.pop() ?? ''), END_TIMEOUT_MS);
          return run.reason === reason;
        }),
      );
      asTheyShould += ends.filter(Boolean).length;
      samples.push(...(await neighbour.samples()));
    }
  } finally {
    neighbour.close();
    await Promise.all(clients.map((client) => client.close()));
  }
  return [
    {
      scenario: 'bombs',
      what: `${name}: ended for their own reason`,
      unit: '',
      value: asTheyShould,
      n: AT_ONCE * rounds,
      bars: [{ of: 'value', atLeast: AT_ONCE * rounds }],
    },
    {
      scenario: 'bombs',
      what: `${name}: stdin -> echo of the neighbour`,
      unit: 'ms',
      summary: summarise(samples),
      bars: [{ of: 'p99', under: 30 }],
    },
  ];
}
