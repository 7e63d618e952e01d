// The bench: starts its own stack (or takes --url), runs scenarios one after another, prints a table and JSON.
import { writeFileSync } from 'node:fs';
import { availableParallelism, cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { builtInLanguages, resolveLanguage } from '@rungrid/sandbox/languages';
import { DEFAULT_LANGUAGES } from '@rungrid/sandbox/tested-languages';
import { stageRows, readStages } from './stages.js';
import { formatTable, meets, type Row } from './report.js';
import type { Scenario, ScenarioOptions } from './scenario.js';
import { bareScenario } from './scenarios/bare.js';
import { abuseScenario } from './scenarios/abuse.js';
import { echoScenario, sessionsScenario } from './scenarios/echo.js';
import { coldScenario, firstByteScenarios } from './scenarios/first-byte.js';
import { floodsScenario } from './scenarios/floods.js';
import { languagesScenario } from './scenarios/languages.js';
import { sustainedScenario } from './scenarios/sustained.js';
import { startStack, type Target } from './stack.js';

const SCENARIOS: readonly Scenario[] = [
  bareScenario,
  ...firstByteScenarios,
  echoScenario,
  sessionsScenario,
  floodsScenario,
  abuseScenario,
  sustainedScenario,
  coldScenario,
  languagesScenario,
];

const HELP = `Usage: bench [options]
  --scenario a,b     only these (default all but \`languages\`):
${SCENARIOS.map((each) => `                       ${each.name.padEnd(24)}${each.title}`).join('\n')}
  --quick            small numbers, to check that everything works
  --language a,b     of \`languages\`, or \`all\` (default: as \`rungrid up\`); a single one applies to the first-byte scenarios, too
  --rate N           clicks a second of the first-byte scenarios and \`languages\`
  --n N              measured clicks or echoes
  --json FILE        the same figures for machines (- for standard output)
  --url URL          a running gateway, in place of an own stack; then --key ID:SECRET (or RUNGRID_BENCH_KEY)
  --strict           exit with 1 when a target is missed
Scenarios that need the services' pids or engine are left out with --url.`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      scenario: { type: 'string' },
      quick: { type: 'boolean', default: false },
      language: { type: 'string' },
      rate: { type: 'string' },
      n: { type: 'string' },
      json: { type: 'string' },
      url: { type: 'string' },
      key: { type: 'string' },
      strict: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${HELP}\n`);
    return 0;
  }
  const chosen = choose(values.scenario).filter((each) => values.url === undefined || each.ownStack !== true);
  const languages = languageNames(values.language);
  const ended = endOnSignals();
  const options: ScenarioOptions = {
    ended,
    quick: values.quick,
    ...(values.language === undefined || languages.length > 1 ? {} : { language: languages[0] ?? '' }),
    ...(values.rate === undefined ? {} : { rate: positive('--rate', values.rate) }),
    ...(values.n === undefined ? {} : { n: positive('--n', values.n) }),
  };
  const foreign =
    values.url === undefined ? undefined : foreignTarget(values.url, values.key ?? process.env['RUNGRID_BENCH_KEY']);
  const rows = await runAll(chosen, { options, languages, foreign });
  process.stdout.write(`\n${formatTable(rows)}\n`);
  if (values.json !== undefined) writeJson(values.json, rows);
  if (ended.aborted) process.stderr.write('bench: interrupted; these are the figures so far\n');
  const missed = rows.some((row) => row.targets?.some((target) => !meets(row, target)));
  return ended.aborted || (values.strict && missed) ? 1 : 0;
}

/** Aborted by the first SIGINT or SIGTERM: the stack is stopped, and the figures so far are printed. The second one exits immediately. */
function endOnSignals(): AbortSignal {
  const ended = new AbortController();
  const onSignal = () => {
    if (ended.signal.aborted) process.exit(1);
    ended.abort(new Error('ended by a signal'));
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return ended.signal;
}

interface Given {
  readonly options: ScenarioOptions;
  /** Of the scenarios that run once for each language. */
  readonly languages: readonly string[];
  readonly foreign: Target | undefined;
}

async function runAll(chosen: readonly Scenario[], given: Given): Promise<Row[]> {
  const { options, languages, foreign } = given;
  const { ended } = options;
  const rows: Row[] = [];
  const shared = new SharedStack({ languages: languagesOf(chosen, options), foreign, ended });
  try {
    for (const scenario of chosen) {
      for (const language of scenario.perLanguage === true ? languages : [undefined]) {
        const own = language === undefined ? options : { ...options, language };
        if (ended.aborted) return rows;
        process.stderr.write(`${scenario.name}: ${scenario.title}${language === undefined ? '' : `: ${language}`}\n`);
        try {
          rows.push(...(await runOne(scenario, { options: own, shared })));
        } catch (error) {
          if (ended.aborted) return rows;
          // A broken scenario must not discard the figures of the others.
          const what = `BROKEN: ${error instanceof Error ? error.message : String(error)}`;
          rows.push({ scenario: scenario.name, what, unit: '', value: 1, targets: [{ of: 'value', under: 1 }] });
        }
      }
    }
  } finally {
    await shared.close();
  }
  return rows;
}

async function runOne(scenario: Scenario, given: { options: ScenarioOptions; shared: SharedStack }): Promise<Row[]> {
  const { options, shared } = given;
  if (scenario.workerEnv === undefined || shared.foreign)
    return measure(scenario, { target: await shared.get(), options });
  const languages = scenario.perLanguage === true ? [options.language ?? ''] : languagesOf([scenario], options);
  const target = await startStack({ languages, workerEnv: scenario.workerEnv, signal: options.ended });
  try {
    return await measure(scenario, { target, options });
  } finally {
    await target.close();
  }
}

/** The stack of the scenarios that need none of their own: a foreign target, or one started for the first of them. */
class SharedStack {
  readonly foreign: boolean;
  readonly #own: { languages: readonly string[]; signal: AbortSignal };
  #target: Target | undefined;

  constructor(options: { languages: readonly string[]; foreign: Target | undefined; ended: AbortSignal }) {
    const { languages, foreign, ended } = options;
    this.#own = { languages, signal: ended };
    this.#target = foreign;
    this.foreign = foreign !== undefined;
  }

  async get(): Promise<Target> {
    this.#target ??= await startStack(this.#own);
    return this.#target;
  }

  async close(): Promise<void> {
    await this.#target?.close();
  }
}

async function measure(scenario: Scenario, given: { target: Target; options: ScenarioOptions }): Promise<Row[]> {
  const before = await readStages(given.target.metrics);
  // Checked before the work starts, because started work must be awaited.
  given.options.ended.throwIfAborted();
  const rows = await unless(given.options.ended, scenario.run(given.target, given.options));
  const after = await readStages(given.target.metrics);
  const name = scenario.perLanguage === true ? `${scenario.name} ${given.options.language ?? ''}` : scenario.name;
  return [...rows, ...stageRows(before, after, name)];
}

/** The result of `work`; rejects when `signal` is aborted first. The work then ends when its target is stopped. */
async function unless<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  let expire: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    expire = () => reject(signal.reason as Error);
    signal.addEventListener('abort', expire);
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', expire);
  }
}

function languagesOf(scenarios: readonly Scenario[], options: ScenarioOptions): string[] {
  const languages = new Set(['python']);
  for (const name of scenarios.flatMap((each) => each.languages ?? [])) languages.add(name);
  if (options.language !== undefined) languages.add(options.language);
  return [...languages];
}

function choose(names: string | undefined): readonly Scenario[] {
  if (names === undefined) return SCENARIOS.filter((each) => each.perLanguage !== true);
  return names.split(',').map((name) => {
    const found = SCENARIOS.find((each) => each.name === name);
    if (found === undefined)
      throw new Error(`no scenario ${name}; there are: ${SCENARIOS.map((each) => each.name).join(', ')}`);
    return found;
  });
}

/** Canonical names. Throws for an unknown one. */
function languageNames(names: string | undefined): string[] {
  const builtIn = builtInLanguages().map(({ name }) => name);
  if (names === undefined) return [...DEFAULT_LANGUAGES];
  if (names === 'all') return builtIn;
  return names.split(',').map((name) => {
    const found = resolveLanguage(name.trim());
    if (found === undefined) throw new Error(`no language ${name}; there are: ${builtIn.join(', ')}`);
    return found.name;
  });
}

function foreignTarget(url: string, pair: string | undefined): Target {
  const [, keyId, key] = /^([^:]+):(.+)$/.exec(pair ?? '') ?? [];
  if (keyId === undefined || key === undefined) throw new Error('--url needs --key ID:SECRET, or RUNGRID_BENCH_KEY');
  return { url: url.replace(/\/$/, ''), key: { keyId, key }, metrics: [], pids: {}, close: () => Promise.resolve() };
}

function writeJson(file: string, rows: readonly Row[]): void {
  const machine = {
    cpus: availableParallelism(),
    model: cpus()[0]?.model ?? '',
    kernel: release(),
    node: process.version,
  };
  const judged = rows.map((row) => ({
    ...row,
    targets: row.targets?.map((target) => ({ ...target, met: meets(row, target) })),
  }));
  const text = `${JSON.stringify({ at: new Date().toISOString(), machine, rows: judged }, undefined, 2)}\n`;
  if (file === '-') process.stdout.write(text);
  else writeFileSync(file, text);
}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0)) throw new Error(`${name} must be a number above 0`);
  return value;
}

try {
  // Does not wait for what an interrupted scenario still awaits.
  process.exit(await main());
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
