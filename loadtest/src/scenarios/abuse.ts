// twenty abuse programs at once, kind by kind: each ends for its own reason, and a co-tenant who types goes on.
import { type AbuseProgram, ABUSE_PROGRAMS } from '../abuse-programs.js';
import { BenchClient, endOf, mintTokens } from '../client.js';
import { startCoTenant } from '../co-tenant.js';
import type { Row } from '../report.js';
import { type Scenario, untilMs } from '../scenario.js';
import type { Target } from '../stack.js';
import { summarize } from '../summary.js';

const AT_ONCE = 20;
/** Sockets that the abuse programs share. */
const SOCKETS = 4;
const IDLE_MS = 2_000;
const ROUNDS = 3;
/** Between two rounds: the pool fills again. */
const REST_MS = 3_000;
const END_TIMEOUT_MS = 120_000;

export const abuseScenario: Scenario = {
  name: 'abuse',
  title: 'twenty abuse programs at once, kind by kind and mixed, beside a co-tenant who types',
  languages: ['c'],
  ownStack: true,
  // A worker by itself: the others' pool does not pay for another language.
  workerEnv: {},
  run: async (target, options) => {
    const rows: Row[] = [];
    const kinds: [string, readonly AbuseProgram[]][] = [
      ...ABUSE_PROGRAMS.map((bomb) => [bomb.name, [bomb]] as [string, AbuseProgram[]]),
      ['mixed', ABUSE_PROGRAMS],
    ];
    for (const [name, bombs] of kinds)
      rows.push(...(await kind(target, { name, bombs, rounds: options.quick ? 1 : ROUNDS })));
    return rows;
  },
};

async function kind(
  target: Target,
  given: { name: string; bombs: readonly AbuseProgram[]; rounds: number },
): Promise<Row[]> {
  const { name, bombs, rounds } = given;
  const tokens = mintTokens(target.key, 1 + AT_ONCE * rounds);
  const clients = await Promise.all(Array.from({ length: SOCKETS }, () => BenchClient.open(target.url)));
  const coTenant = await startCoTenant(target.url, tokens.pop() ?? '');
  const samples: number[] = [];
  let asTheyShould = 0;
  try {
    await coTenant.samples();
    for (let round = 0; round < rounds; round++) {
      await untilMs(performance.now() + (round === 0 ? IDLE_MS : REST_MS));
      await coTenant.samples();
      const ends = await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, index) => {
          const bomb = bombs[index % bombs.length] as AbuseProgram;
          const client = clients[index % SOCKETS] as BenchClient;
          const { code, language, reason } = bomb;
          const run = await endOf(client.click({ code, language }, tokens.pop() ?? ''), END_TIMEOUT_MS);
          return run.reason === reason;
        }),
      );
      asTheyShould += ends.filter(Boolean).length;
      samples.push(...(await coTenant.samples()));
    }
  } finally {
    coTenant.close();
    for (const client of clients) client.close();
  }
  return [
    {
      scenario: 'abuse',
      what: `${name}: ended for their own reason`,
      unit: '',
      value: asTheyShould,
      n: AT_ONCE * rounds,
      targets: [{ of: 'value', atLeast: AT_ONCE * rounds }],
    },
    {
      scenario: 'abuse',
      what: `${name}: stdin -> echo of the co-tenant`,
      unit: 'ms',
      summary: summarize(samples),
      targets: [{ of: 'p99', under: 30 }],
    },
  ];
}
