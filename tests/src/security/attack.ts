// Attack programs as data: the `expect:`, `check:` and `with:` lines at their top, read into what a harness checks.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIR = fileURLToPath(new URL('attacks/', import.meta.url));
const LANGUAGES: Readonly<Record<string, string>> = { '.py': 'python', '.c': 'c', '.js': 'javascript', '.sh': 'bash' };
const STATUSES = [
  'ok',
  'nonzero',
  'signalled',
  'time_limit',
  'memory_limit',
  'process_limit',
  'output_limit',
  'compile_error',
] as const;
const AFTERS = [
  'no_orphans',
  'co_tenant_ok',
  'next_run_ok',
  'terminal_once',
  'rss_flat',
  'disk_flat',
  'host_flat',
  'teardown_fast',
  'run_twice',
  'run_two_at_once',
  'no_host_core',
  'host_files_unchanged',
] as const;
const STREAMS = ['stdout', 'stderr', 'compile'] as const;
/** Keys with a value of their own; each is read below. */
const KEYS = [
  'status',
  'exit',
  'signal',
  'max_wall',
  'first_output_within',
  'exit_not_before_wall',
  'after',
  'review',
  'teardown_within',
];

export type Status = (typeof STATUSES)[number];
export type After = (typeof AFTERS)[number];

export interface Pattern {
  readonly stream: (typeof STREAMS)[number];
  readonly pattern: RegExp;
  /** Whether it must match; else it must not. */
  readonly wanted: boolean;
}

export interface Attack {
  readonly name: string;
  readonly language: string;
  readonly code: string;
  /** What a safe outcome is, for people. */
  readonly expectation: string;
  /** More of the run_code frame. */
  readonly files: readonly { readonly name: string; readonly content: string }[];
  readonly args: readonly string[];
  readonly statuses: readonly Status[];
  readonly patterns: readonly Pattern[];
  readonly exitCode: number | undefined;
  readonly signal: number | undefined;
  readonly maxWallMs: number;
  readonly firstOutputMs: number | undefined;
  /** How long after the terminal event nothing of it may live, ms. */
  readonly teardownMs: number;
  /** Events of the run, and bytes of compiler output, at most. */
  readonly maxFrames: number;
  readonly maxCompileBytes: number;
  /** It must live until its time limit. */
  readonly livesOn: boolean;
  readonly after: ReadonlySet<After>;
}

/** All attack programs, in the order of their numbers. Throws on a check that is not understood: it must not be skipped in silence. */
export function loadAttacks(): Attack[] {
  return readdirSync(DIR)
    .toSorted((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .map((file) => loadAttack(join(DIR, file)));
}

function loadAttack(path: string): Attack {
  const code = readFileSync(path, 'utf8');
  const [first = '', second = '', third = ''] = code.split('\n');
  const expectation = /^(?:#|\/\/) expect: (.+)$/.exec(first)?.[1];
  const checks = /^(?:#|\/\/) check: (.+)$/.exec(second)?.[1];
  const extra = /^(?:#|\/\/) with: (.+)$/.exec(third)?.[1] ?? '{}';
  const language = LANGUAGES[extname(path)];
  if (expectation === undefined || checks === undefined || language === undefined)
    throw new Error(`${path}: no expect: and check: lines`);
  const { files = [], args = [] } = JSON.parse(extra) as Partial<Pick<Attack, 'files' | 'args'>>;
  return { name: basename(path), language, code, expectation, files, args, ...parseChecks(path, checks) };
}

type Checks = Omit<Attack, 'name' | 'language' | 'code' | 'expectation' | 'files' | 'args'>;

/** Words are `name`, `name=value`, `name<number`, `stream~/pattern/` or `stream!~/pattern/`. */
const WORD = /(\w+)(?:=(\S+)|<(\d+)|(!?~)\/((?:[^/\\]|\\.)+)\/)?(?=\s|$)/g;

function parseChecks(path: string, line: string): Checks {
  const values = new Map<string, string>();
  const most = new Map<string, number>();
  const patterns: Pattern[] = [];
  if (line.replaceAll(WORD, '').trim() !== '') throw new Error(`${path}: not understood: ${line.replaceAll(WORD, '')}`);
  for (const [word, name = '', value, bound, operator, body = ''] of line.matchAll(WORD)) {
    const stream = STREAMS.find((each) => each === name);
    if (operator !== undefined && stream !== undefined) patterns.push(patternOf(stream, operator, body));
    else if (bound !== undefined && ['frames', 'compile_bytes'].includes(name)) most.set(name, Number(bound));
    else if (value !== undefined && KEYS.includes(name)) values.set(name, value);
    else if (['terminal_once', 'socket_stays_open'].includes(word))
      values.set('after', [values.get('after'), 'terminal_once'].filter(Boolean).join(','));
    else throw new Error(`${path}: check ${word} is not known`);
  }
  const number = (name: string) => (values.has(name) ? Number(values.get(name)) : undefined);
  const firstOutput = number('first_output_within');
  return {
    statuses: listOf(path, { given: values.get('status')?.split('|') ?? [], known: STATUSES }),
    patterns,
    exitCode: number('exit'),
    signal: number('signal'),
    maxWallMs: (number('max_wall') ?? 15) * 1000,
    firstOutputMs: firstOutput === undefined ? undefined : firstOutput * 1000,
    teardownMs: (number('teardown_within') ?? 2) * 1000,
    maxFrames: most.get('frames') ?? Number.POSITIVE_INFINITY,
    maxCompileBytes: most.get('compile_bytes') ?? Number.POSITIVE_INFINITY,
    livesOn: values.has('exit_not_before_wall'),
    after: new Set(listOf(path, { given: values.get('after')?.split(',') ?? [], known: AFTERS })),
  };
}

/** `(?i)` in front makes it blind to case. */
function patternOf(stream: Pattern['stream'], operator: string, body: string): Pattern {
  const blind = body.startsWith('(?i)');
  const pattern = new RegExp(blind ? body.slice(4) : body, blind ? 'im' : 'm');
  return { stream, pattern, wanted: operator === '~' };
}

function listOf<T extends string>(path: string, options: { given: readonly string[]; known: readonly T[] }): T[] {
  return options.given.map((name) => {
    const found = options.known.find((known) => known === name);
    if (found === undefined) throw new Error(`${path}: ${name} is not known`);
    return found;
  });
}
