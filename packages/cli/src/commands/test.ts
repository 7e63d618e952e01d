// `test`: the checks, what the tests need, then vitest; the slowest files, and a last line that counts the tests.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Language } from '@rungrid/sandbox/languages';
import { testedLanguages } from '@rungrid/sandbox/tested-languages';
import type { CommandInput, CommandModule } from '../command.js';
import { CliError, codeOf, EXIT_USAGE } from '../errors.js';
import { requireProgram } from '../infra/apt.js';
import { ensureEngine } from '../infra/engine.js';
import { ensureImages } from '../infra/images.js';
import { requireRedisServer } from '../infra/redis.js';
import { makeFolders, type Paths, resolvePaths, ROOT } from '../paths.js';
import { say } from '../progress.js';
import { readState, takeLock, updateState, withoutTheDead } from '../state.js';
import { closingLine, countTests, parseReport, slowestFiles } from '../test/report.js';
import { stopInfrastructure } from './down.js';

/** Each is a project of vitest.config.ts, in the order in which they run. */
const KINDS = ['unit', 'redis', 'docker', 'e2e', 'security', 'browser', 'chaos', 'exclusive'] as const;
type Kind = (typeof KINDS)[number];
/** Those that need no container engine. */
const WITHOUT_ENGINE: ReadonlySet<Kind> = new Set(['unit', 'redis']);
/** Files in the closing list of the slowest. */
const SLOWEST = 10;

const CHECKS: readonly { name: string; command: readonly [string, ...string[]] }[] = [
  { name: 'format', command: [bin('biome'), 'format', '.'] },
  { name: 'lint', command: [bin('oxlint'), '--type-aware', '--deny-warnings'] },
  { name: 'house', command: [process.execPath, join('tools', 'house.mjs')] },
  { name: 'vocabulary', command: [process.execPath, join('tools', 'vocabulary.mjs')] },
];

const SAMPLES_TEST = 'services/sandbox/src/samples.docker.test.ts';

const CHROMIUM = {
  programs: ['chromium', 'chromium-browser', 'google-chrome'],
  packages: ['chromium'],
  otherwise: 'The browser tests need it; ./rungrid test --only with another kind goes without.',
};

export const command: CommandModule = { run };

async function run(input: CommandInput): Promise<number> {
  const kinds = chooseKinds(input);
  const paths = resolvePaths();
  makeFolders(paths);
  const failedChecks = input.options.text('only') === undefined ? await runChecks() : [];
  const env: NodeJS.ProcessEnv = { ...process.env, RUNGRID_TEST_LONG: input.options.flag('all') ? '1' : '0' };
  const real = kinds.some((kind) => kind !== 'unit');
  if (real) Object.assign(env, await prepare(kinds, { paths, languages: testedLanguages(env) }));
  try {
    const passed = await runVitest([...kinds.flatMap((kind) => ['--project', kind]), ...input.positionals], {
      env,
      paths,
      failedChecks,
    });
    return passed ? 0 : 1;
  } finally {
    if (real) await release(paths);
  }
}

/** Runs samples of these languages, all of them or those named, in real sandboxes. Returns the exit code. */
export async function runLanguageSamples(languages: readonly Language[], samples: readonly string[]): Promise<number> {
  const paths = resolvePaths();
  makeFolders(paths);
  const names = languages.map(({ name }) => name).join(',');
  const env = { ...process.env, RUNGRID_TEST_LANGUAGES: names, ...(await prepare(['docker'], { paths, languages })) };
  // A test is named after its sample and its mode.
  const filter = samples.length === 0 ? [] : ['-t', ` (${samples.map(escaped).join('|')}) \\(`];
  try {
    const passed = await runVitest(['--project', 'docker', SAMPLES_TEST, ...filter], { env, paths });
    return passed ? 0 : 1;
  } finally {
    await release(paths);
  }
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** Which kinds to run. Throws CliError for one that does not exist. */
export function chooseKinds(input: CommandInput): Kind[] {
  const only = input.options.text('only');
  if (only !== undefined) {
    const kind = KINDS.find((each) => each === only);
    if (kind === undefined)
      throw new CliError(`--only takes one of ${KINDS.join(', ')}, not "${only}"`, { exitCode: EXIT_USAGE });
    return [kind];
  }
  return input.options.flag('quick') ? ['unit'] : [...KINDS];
}

/** Runs every check, so that one run shows everything that is wrong. Returns the names of those that failed. */
async function runChecks(): Promise<string[]> {
  const failed: string[] = [];
  for (const check of CHECKS) {
    const start = performance.now();
    const { code, output } = await capture(check.command);
    say(`check ${check.name}: ${code === 0 ? 'ok' : 'FAILED'} (${((performance.now() - start) / 1000).toFixed(1)} s)`);
    if (code === 0) continue;
    failed.push(check.name);
    say(output.trimEnd());
  }
  return failed;
}

/** Installs and starts what the tests over real services need. Returns the environment that says where it is. */
async function prepare(
  kinds: readonly Kind[],
  { paths, languages }: { paths: Paths; languages: readonly Language[] },
): Promise<NodeJS.ProcessEnv> {
  const unlock = takeLock(paths);
  try {
    updateState(paths, (state) => withoutTheDead(state));
    say('preparing the tests over real services');
    await requireRedisServer(paths);
    if (kinds.every((kind) => WITHOUT_ENGINE.has(kind))) return {};
    const engine = await ensureEngine(paths);
    await ensureImages(languages, { host: engine.host, paths });
    const browser = kinds.includes('browser') && existsSync(join(ROOT, 'tests', 'src', 'browser'));
    return {
      DOCKER_HOST: engine.host,
      ...(browser ? { RUNGRID_CHROMIUM: await requireProgram(CHROMIUM, paths) } : {}),
    };
  } finally {
    unlock();
  }
}

/** Stops the engine that was started for the tests, unless `up` uses it. */
async function release(paths: Paths): Promise<void> {
  const unlock = takeLock(paths);
  try {
    const state = withoutTheDead(readState(paths));
    if (state.gateways.length + state.workers.length === 0) await stopInfrastructure(paths);
  } finally {
    unlock();
  }
}

/** Runs vitest, then prints the slowest files and the closing line. Returns whether all is well. */
async function runVitest(
  args: readonly string[],
  options: { env: NodeJS.ProcessEnv; paths: Paths; failedChecks?: readonly string[] },
): Promise<boolean> {
  const { failedChecks = [] } = options;
  const reportFile = join(options.paths.tmp, `test-report-${process.pid}.json`);
  const command = [
    bin('vitest'),
    'run',
    '--passWithNoTests',
    '--reporter=default',
    '--reporter=json',
    `--outputFile.json=${reportFile}`,
    ...args,
  ];
  const child = spawn(command[0] as string, command.slice(1), { cwd: ROOT, stdio: 'inherit', env: options.env });
  // A terminal's Ctrl-C reaches vitest too: it ends first, then what was started for it is stopped.
  const ignore = () => undefined;
  process.on('SIGINT', ignore);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const exitCode = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
  const report = parseReport(readReport(reportFile));
  rmSync(reportFile, { force: true });
  const counts = report === undefined ? { passed: 0, failed: 1, skipped: 0 } : countTests(report);
  if (report !== undefined) say(['slowest files:', ...slowestFiles(report, { root: ROOT, most: SLOWEST })].join('\n'));
  if (failedChecks.length > 0) say(`failed checks: ${failedChecks.join(', ')} (see above)`);
  process.stdout.write(`\n${closingLine(counts)}\n`);
  return failedChecks.length === 0 && counts.failed === 0 && exitCode === 0;
}

function readReport(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  }
}

function capture(command: readonly [string, ...string[]]): Promise<{ code: number; output: string }> {
  const [file, ...args] = command;
  const child = spawn(file, args, { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output: Buffer.concat(chunks).toString('utf8') }));
  });
}

function bin(name: string): string {
  return join(ROOT, 'node_modules', '.bin', name);
}
