// Twenty abuse programs at once, kind by kind: each ends for its own reason, and a typing co-tenant is not disturbed.
import { type AbuseProgram, ABUSE_PROGRAMS } from '../abuse-programs.js';
import { BenchClient, endOf, mintTokens } from '../client.js';
import { startCoTenant } from '../co-tenant.js';
import type { Row } from '../report.js';
import { type Scenario, untilMs } from '../scenario.js';
import type { Target } from '../stack.js';
import { summarize } from '../summary.js';

const NAME = 'abuse';
const AT_ONCE = 20;
/** Sockets that the abuse programs share. */
const SOCKETS = 4;
const IDLE_MS = 2_000;
const ROUNDS = 3;
/** Between two rounds: the pool fills again. */
const REST_MS = 3_000;
const END_TIMEOUT_MS = 120_000;

export const abuseScenario: Scenario = {
  name: NAME,
  title: 'twenty abuse programs at once, kind by kind and mixed, beside a typing co-tenant',
  languages: ['c'],
  ownStack: true,
  // A stack of its own, so that the pools of the other scenarios do not include C.
  workerEnv: {},
  run: async (target, options) => {
    const rows: Row[] = [];
    const kinds: [string, readonly AbuseProgram[]][] = [
      ...ABUSE_PROGRAMS.map((program) => [program.name, [program]] as [string, AbuseProgram[]]),
      ['mixed', ABUSE_PROGRAMS],
    ];
    for (const [name, programs] of kinds)
      rows.push(...(await kind(target, { name, programs, rounds: options.quick ? 1 : ROUNDS })));
    return rows;
  },
};

async function kind(
  target: Target,
  given: { name: string; programs: readonly AbuseProgram[]; rounds: number },
): Promise<Row[]> {
  const { name, programs, rounds } = given;
  const tokens = mintTokens(target.key, 1 + AT_ONCE * rounds);
  const clients = await Promise.all(Array.from({ length: SOCKETS }, () => BenchClient.open(target.url)));
  const coTenant = await startCoTenant(target.url, tokens.pop() ?? '');
  const samples: number[] = [];
  let asExpected = 0;
  try {
    await coTenant.samples();
    for (let round = 0; round < rounds; round++) {
      await untilMs(performance.now() + (round === 0 ? IDLE_MS : REST_MS));
      await coTenant.samples();
      const ends = await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, index) => {
          const program = programs[index % programs.length] as AbuseProgram;
          const client = clients[index % SOCKETS] as BenchClient;
          const { code, language, reason } = program;
          const run = await endOf(client.click({ code, language }, tokens.pop() ?? ''), END_TIMEOUT_MS);
          return run.reason === reason;
        }),
      );
      asExpected += ends.filter(Boolean).length;
      samples.push(...(await coTenant.samples()));
    }
  } finally {
    coTenant.close();
    for (const client of clients) client.close();
  }
  return [
    {
      scenario: NAME,
      what: `${name}: ended for the expected reason`,
      unit: '',
      value: asExpected,
      n: AT_ONCE * rounds,
      targets: [{ of: 'value', atLeast: AT_ONCE * rounds }],
    },
    {
      scenario: NAME,
      what: `${name}: stdin -> echo of the co-tenant`,
      unit: 'ms',
      summary: summarize(samples),
      targets: [{ of: 'p99', under: 30 }],
    },
  ];
}
