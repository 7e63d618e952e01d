// Sustained runs a second in a closed loop, compared with bare Docker and the same container.
import { copySandbox, measureBare } from '../bare-docker.js';
import { BenchClient, endOf, mintTokens } from '../client.js';
import { HELLO, type Scenario } from '../scenario.js';
import { summarize } from '../summary.js';
import type { Target } from '../stack.js';

const CONCURRENCIES = [2, 4, 6, 8];
const PROGRAM = { language: 'python', code: HELLO['python'] ?? '' };
const RUNS_PER_SOCKET = 4;

interface Rate {
  readonly concurrency: number;
  readonly perSecond: number;
  readonly firstByteMs: readonly number[];
  readonly failed: readonly string[];
}

export const sustainedScenario: Scenario = {
  name: 'sustained',
  title: 'sustained runs a second, closed loop, and the ratio to bare Docker',
  ownStack: true,
  run: async (target, options) => {
    const durationMs = options.quick ? 4_000 : 20_000;
    const sandbox = await copySandbox('python');
    const rates: { ours: Rate; bare: number }[] = [];
    for (const concurrency of options.quick ? [4] : CONCURRENCIES) {
      // Between two halves of the bare measurement, so that a drift of the machine affects both.
      const before = await measureBare(sandbox, { concurrency, durationMs: durationMs / 2 });
      const ours = await measureOurs(target, { concurrency, durationMs });
      const after = await measureBare(sandbox, { concurrency, durationMs: durationMs / 2 });
      rates.push({ ours, bare: (before + after) / 2 });
    }
    const best = rates.reduce((top, rate) => (rate.ours.perSecond > top.ours.perSecond ? rate : top));
    const bareBest = Math.max(...rates.map((rate) => rate.bare));
    return [
      ...rates.map(({ ours, bare }) => ({
        scenario: 'sustained',
        what: `runs/s at concurrency ${ours.concurrency} (bare Docker ${bare.toFixed(1)}/s)`,
        unit: '/s' as const,
        value: ours.perSecond,
        n: ours.firstByteMs.length,
      })),
      {
        scenario: 'sustained',
        what: `click -> first byte at ${best.ours.perSecond.toFixed(1)}/s`,
        unit: 'ms',
        summary: summarize(best.ours.firstByteMs),
      },
      { scenario: 'sustained', what: 'bare Docker create+start+remove, best', unit: '/s', value: bareBest },
      {
        scenario: 'sustained',
        what: 'best of ours / best of bare',
        unit: '%',
        value: (100 * best.ours.perSecond) / bareBest,
        targets: [{ of: 'value', atLeast: 90 }],
      },
      {
        scenario: 'sustained',
        what: 'runs that failed',
        unit: '',
        value: rates.reduce((sum, rate) => sum + rate.ours.failed.length, 0),
        targets: [{ of: 'value', under: 1 }],
      },
    ];
  },
};

async function measureOurs(target: Target, options: { concurrency: number; durationMs: number }): Promise<Rate> {
  const sockets = Math.ceil(options.concurrency / RUNS_PER_SOCKET);
  const clients = await Promise.all(Array.from({ length: sockets }, () => BenchClient.open(target.url)));
  // The full warm pool is a head start: it is used up, and the refill is steady, before the measurement starts.
  const warmUpMs = Math.min(5_000, options.durationMs / 2);
  const startMs = performance.now() + warmUpMs;
  const endMs = startMs + options.durationMs;
  const firstByteMs: number[] = [];
  const failed: string[] = [];
  let completed = 0;
  const loop = async (client: BenchClient) => {
    while (performance.now() < endMs) {
      const [token = ''] = mintTokens(target.key, 1);
      const run = await endOf(client.click(PROGRAM, token));
      const atMs = run.endMs ?? 0;
      if (atMs < startMs || atMs >= endMs) continue;
      if (run.reason !== 'exited' || run.firstByteMs === undefined) failed.push(run.reason ?? '?');
      else firstByteMs.push(run.firstByteMs - run.clickMs);
      completed++;
    }
  };
  await Promise.all(
    Array.from({ length: options.concurrency }, (_, index) => loop(clients[index % sockets] as BenchClient)),
  );
  for (const client of clients) client.close();
  return { concurrency: options.concurrency, perSecond: (completed * 1000) / options.durationMs, firstByteMs, failed };
}
