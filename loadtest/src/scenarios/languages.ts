// Click -> first byte by language: cold compile, cache hit or interpreted, on pipes and on a terminal.
import { randomUUID } from 'node:crypto';
import { type Language, languageMode, resolveLanguage } from '@rungrid/sandbox/languages';
import { BenchClient, type BenchRun, endOf, mintTokens } from '../client.js';
import type { FigureTarget, Row } from '../report.js';
import {
  clickAtRate,
  type Clicks,
  clicksOf,
  failureRow,
  helloOf,
  type Scenario,
  type ScenarioOptions,
} from '../scenario.js';
import type { Target } from '../stack.js';
import { summarize } from '../summary.js';

const NAME = 'languages';
/** Clicks a second: two cores leave time for no more starts of a virtual machine. */
const RATE = 2;
/** Less for those whose next sandbox takes seconds: at 0.2 CPU, R needs 1.3 s and Clojure 3.8 s. */
const RATES = new Map([
  ['r', 1],
  ['clojure', 0.4],
]);
/** Share of that rate on terminals, since the pool holds only one. */
const TERMINAL_SHARE = 0.5;
const TERMINAL = { cols: 80, rows: 24 };

/** Target of the median, ms. */
const FAST = new Map([
  ...['python', 'javascript', 'ruby', 'php', 'perl', 'lua', 'bash'].map((name) => [name, 8] as const),
  ...['c', 'cpp', 'go', 'rust'].map((name) => [name, 15] as const),
  ['java', 30],
]);
/** Target of p99 for warm languages and for these compiled ones, ms. */
const TAIL_MS = 30;
const COMPILED_WITH_TAIL = ['c', 'cpp', 'go', 'rust'];
/** Target of the median from the click to the first byte with a compile step between, ms. */
const COLD = new Map([
  ['c', 300],
  ['cpp', 1500],
  ['go', 2000],
  ['rust', 1500],
  ['java', 2000],
]);

export const languagesScenario: Scenario = {
  name: NAME,
  title: 'click -> first byte: cold compile, cache hit or interpreted, on pipes and on a terminal',
  perLanguage: true,
  // The worker's defaults; the bench's other scenarios have no terminals.
  workerEnv: { WORKER_POOL_MIN_IDLE_TTY: '1', WORKER_POOL_MIN_IDLE_COMPILE: '1' },
  run: async (target, options) => {
    const language = resolveLanguage(options.language ?? 'python');
    if (language === undefined) throw new Error(`unknown language "${options.language}"`);
    const compiled = languageMode(language) === 'compiled';
    return [
      ...(compiled ? await coldCompile(target, { language, options }) : []),
      ...(await onPipes(target, { language, options })),
      ...(await onTerminal(target, { language, options })),
    ];
  },
};

interface Given {
  readonly language: Language;
  readonly options: ScenarioOptions;
}

/** Sequential runs, each of a program that is not in the cache. */
async function coldCompile(target: Target, { language, options }: Given): Promise<Row[]> {
  const { name } = language;
  const n = options.quick ? 3 : 20;
  const client = await BenchClient.open(target.url);
  const runs: BenchRun[] = [];
  for (const [index, token] of mintTokens(target.key, n + 1).entries()) {
    // An extra file makes the same code another program, in every language.
    const files = [{ name: 'seed.txt', content: randomUUID() }];
    const run = await endOf(client.click({ code: helloOf(name), language: name, files }, token));
    // The first run is slower: the machine reads the compiler from disk.
    if (index > 0) runs.push(run);
  }
  client.close();
  const what = `${name}: cold compile, click -> first byte`;
  return rowsOf(clicksOf(runs), { what, n, targets: medianTarget(COLD.get(name)) });
}

async function onPipes(target: Target, { language, options }: Given): Promise<Row[]> {
  const { name } = language;
  const mode = languageMode(language);
  const rate = rateOf({ language, options });
  const n = options.n ?? (options.quick ? 10 : 100);
  const program = { code: helloOf(name), language: name };
  const clicks = await clickAtRate(target, { language: name, rate, n, warmUp: options.quick ? 2 : 10, program });
  const tail = mode === 'warm' || COMPILED_WITH_TAIL.includes(name);
  const targets: FigureTarget[] = [
    ...medianTarget(FAST.get(name)),
    ...(tail ? [{ of: 'p99', under: TAIL_MS } as const] : []),
  ];
  const how = { warm: 'warm', start: 'started with the program', compiled: 'cache hit' }[mode];
  const what = `${name}: ${how}, click -> first byte, ${rate}/s (${clicks.warm} warm)`;
  return rowsOf(clicks, { what, n, targets });
}

async function onTerminal(target: Target, { language, options }: Given): Promise<Row[]> {
  const { name } = language;
  const n = options.quick ? 4 : 30;
  const rate = rateOf({ language, options }) * TERMINAL_SHARE;
  const program = { code: helloOf(name), language: name, tty: TERMINAL };
  const clicks = await clickAtRate(target, { language: name, rate, n, warmUp: 2, program });
  const what = `${name}: on a terminal, click -> first byte, ${rate}/s (${clicks.warm} warm)`;
  return rowsOf(clicks, { what, n, targets: medianTarget(FAST.get(name)) });
}

function rateOf({ language, options }: Given): number {
  return options.rate ?? RATES.get(language.name) ?? RATE;
}

function medianTarget(under: number | undefined): FigureTarget[] {
  return under === undefined ? [] : [{ of: 'p50', under }];
}

function rowsOf(clicks: Clicks, row: { what: string; n: number; targets: readonly FigureTarget[] }): Row[] {
  const { what, n, targets } = row;
  const failures = failureRow(NAME, clicks.failed, n);
  if (clicks.firstByteMs.length === 0) return failures;
  return [...failures, { scenario: NAME, what, unit: 'ms', summary: summarize(clicks.firstByteMs), targets }];
}
