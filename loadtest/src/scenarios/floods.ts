// Output floods end by output_limit, memory stays flat, and a co-tenant's echo stays quick.
import { BenchClient, endOf, mintTokens } from '../client.js';
import { openSession, type Scenario, untilMs } from '../scenario.js';
import { rssBytes } from '../stack.js';
import { summarize } from '../summary.js';

const FLOOD = { language: 'python', code: "while True: print('x')" };
const AT_ONCE = 2;
const ECHO_EVERY_MS = 25;

export const floodsScenario: Scenario = {
  name: 'floods',
  title: "while True: print('x'), beside a typing co-tenant",
  ownStack: true,
  run: async (target, options) => {
    const floods = options.quick ? 2 : 12;
    const tokens = mintTokens(target.key, floods + 1);
    const coTenantClient = await BenchClient.open(target.url);
    const coTenant = await openSession(coTenantClient, tokens.pop() ?? '');
    const floodClient = await BenchClient.open(target.url);
    const baseline = Object.values(target.pids).map(rssBytes);
    const growth = Object.keys(target.pids).map(() => 0);
    const samples: number[] = [];
    const reasons: string[] = [];
    const over = new AbortController();
    const echoes = (async () => {
      for (let i = 0; !over.signal.aborted; i++) {
        const text = `n${i}\n`;
        samples.push(await coTenantClient.echo(coTenant, { text, answer: text, timeoutMs: 20_000 }));
        for (const [index, pid] of Object.values(target.pids).entries()) {
          growth[index] = Math.max(growth[index] ?? 0, rssBytes(pid) - (baseline[index] ?? 0));
        }
        await untilMs(performance.now() + ECHO_EVERY_MS);
      }
    })();
    const loop = async () => {
      for (let token = tokens.pop(); token !== undefined; token = tokens.pop()) {
        reasons.push((await endOf(floodClient.click(FLOOD, token))).reason ?? '?');
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, loop));
    over.abort();
    await echoes;
    floodClient.close();
    coTenantClient.close();
    const limited = reasons.filter((reason) => reason === 'output_limit').length;
    return [
      {
        scenario: 'floods',
        what: 'floods that ended by output_limit',
        unit: '',
        value: limited,
        n: floods,
        targets: [{ of: 'value', atLeast: floods }],
      },
      ...Object.keys(target.pids).map((name, index) => ({
        scenario: 'floods',
        what: `RSS growth of the ${name}, peak`,
        unit: 'MB' as const,
        value: (growth[index] ?? 0) / 1_048_576,
        targets: [{ of: 'value', under: 64 } as const],
      })),
      {
        scenario: 'floods',
        what: 'stdin -> echo of the co-tenant',
        unit: 'ms',
        summary: summarize(samples),
        targets: [{ of: 'p99', under: 30 }],
      },
    ];
  },
};
