// Click -> first byte, with a warm pool and with an empty one.
import { clickAtRate, failureRow, type Scenario } from '../scenario.js';
import type { FigureTarget } from '../report.js';
import { summarize } from '../summary.js';

/** Clicks that fill caches and compile code first. */
const WARM_UP = 20;

interface Case {
  readonly name: string;
  readonly language: string;
  readonly rate: number;
  readonly n: number;
  readonly targets: readonly FigureTarget[];
}
const CASES: readonly Case[] = [
  {
    name: 'python-4',
    language: 'python',
    rate: 4,
    n: 200,
    targets: [
      { of: 'p50', under: 4 },
      { of: 'p99', under: 20 },
    ],
  },
  {
    name: 'javascript-4',
    language: 'javascript',
    rate: 4,
    n: 200,
    targets: [
      { of: 'p50', under: 6 },
      { of: 'p99', under: 30 },
    ],
  },
  { name: 'python-10', language: 'python', rate: 10, n: 200, targets: [{ of: 'p99', under: 30 }] },
];

export const firstByteScenarios: readonly Scenario[] = CASES.map((each) => ({
  name: `first-byte-${each.name}`,
  languages: [each.language],
  title: `click -> first byte, ${each.language}, ${each.rate}/s, warm pool`,
  run: async (target, options) => {
    const language = options.language ?? each.language;
    const rate = options.rate ?? each.rate;
    const n = options.n ?? (options.quick ? 20 : each.n);
    const result = await clickAtRate(target, { language, rate, n, warmUp: options.quick ? 4 : WARM_UP });
    const asAsked = language === each.language && rate === each.rate;
    return [
      ...failureRow(each.name, result.failed, n),
      {
        scenario: `first-byte-${each.name}`,
        what: `click -> first byte, ${language}, ${rate}/s (${result.warm} warm)`,
        unit: 'ms',
        summary: summarize(result.firstByteMs),
        ...(asAsked ? { targets: each.targets } : {}),
      },
    ];
  },
}));

/** Without a warm sandbox: each click waits for a container and an interpreter. */
export const coldScenario: Scenario = {
  name: 'first-byte-cold',
  title: 'click -> first byte, pool empty',
  workerEnv: { WORKER_POOL_MIN_IDLE: '0' },
  ownStack: true,
  run: async (target, options) => {
    const language = options.language ?? 'python';
    const n = options.n ?? (options.quick ? 5 : 40);
    const result = await clickAtRate(target, { language, rate: options.rate ?? 2, n, warmUp: 2 });
    const summary = summarize(result.firstByteMs);
    return [
      ...failureRow('first-byte-cold', result.failed, n),
      { scenario: 'first-byte-cold', what: `click -> first byte, ${language}, pool empty`, unit: 'ms', summary },
    ];
  },
};
