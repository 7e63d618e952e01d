// Attack programs as data: the `expect:` and `check:` lines at their top, read into what a harness checks.
import { readdirSync, readFileSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const DIR = fileURLToPath(new URL('attacks/', import.meta.url));
const LANGUAGES: Readonly<Record<string, string>> = { '.py': 'python', '.c': 'c', '.js': 'javascript', '.sh': 'bash' };
const STATUSES = ['ok', 'nonzero', 'signalled', 'time_limit', 'memory_limit', 'process_limit', 'output_limit'] as const;
const AFTERS = [
  'no_orphans',
  'neighbour_ok',
  'next_run_ok',
  'terminal_once',
  'rss_flat',
  'disk_flat',
  'teardown_fast',
  'run_twice',
  'run_two_at_once',
  'no_host_core',
] as const;

export type Status = (typeof STATUSES)[number];
export type After = (typeof AFTERS)[number];

export interface Attack {
  readonly name: string;
  readonly language: string;
  readonly code: string;
  /** What a safe outcome is, for people. */
  readonly expectation: string;
  readonly statuses: readonly Status[];
  readonly has: readonly RegExp[];
  readonly hasNot: readonly RegExp[];
  readonly exitCode: number | undefined;
  readonly signal: number | undefined;
  readonly maxWallMs: number;
  readonly firstOutputMs: number | undefined;
  /** It must live until its time limit. */
  readonly livesOn: boolean;
  readonly after: ReadonlySet<After>;
}

/** All attack programs, by name. Throws on a check that is not understood: it must not be skipped in silence. */
export function loadAttacks(): Attack[] {
  return readdirSync(DIR)
    .toSorted()
    .map((file) => loadAttack(join(DIR, file)));
}

function loadAttack(path: string): Attack {
  const code = readFileSync(path, 'utf8');
  const [first = '', second = ''] = code.split('\n');
  const expectation = /^(?:#|\/\/) expect: (.+)$/.exec(first)?.[1];
  const checks = /^(?:#|\/\/) check: (.+)$/.exec(second)?.[1];
  const language = LANGUAGES[extname(path)];
  if (expectation === undefined || checks === undefined || language === undefined)
    throw new Error(`${path}: no expect: and check: lines`);
  return { name: basename(path), language, code, expectation, ...parseChecks(path, checks) };
}

function parseChecks(path: string, line: string): Omit<Attack, 'name' | 'language' | 'code' | 'expectation'> {
  const values = new Map<string, string>();
  const [has, hasNot]: [RegExp[], RegExp[]] = [[], []];
  for (const [token, name = '', value = '', op, body = ''] of line.matchAll(
    /(\w+)(?:=(\S+)|(!?~)\/((?:[^/\\]|\\.)+)\/)?(?=\s|$)/g,
  )) {
    if (op !== undefined) (op === '~' ? has : hasNot).push(new RegExp(body, 'm'));
    else if (
      [
        'status',
        'exit',
        'signal',
        'max_wall',
        'first_output_within',
        'exit_not_before_wall',
        'after',
        'review',
      ].includes(name)
    )
      values.set(name, value);
    else if (['terminal_once', 'socket_stays_open'].includes(name))
      values.set('after', [values.get('after'), 'terminal_once'].filter(Boolean).join(','));
    else throw new Error(`${path}: check ${token} is not known`);
  }
  const number = (name: string) => (values.has(name) ? Number(values.get(name)) : undefined);
  return {
    statuses: listOf(path, { given: values.get('status')?.split('|') ?? [], known: STATUSES }),
    has,
    hasNot,
    exitCode: number('exit'),
    signal: number('signal'),
    maxWallMs: (number('max_wall') ?? 15) * 1000,
    firstOutputMs: values.has('first_output_within') ? Number(values.get('first_output_within')) * 1000 : undefined,
    livesOn: values.has('exit_not_before_wall'),
    after: new Set(listOf(path, { given: values.get('after')?.split(',') ?? [], known: AFTERS })),
  };
}

function listOf<T extends string>(path: string, options: { given: readonly string[]; known: readonly T[] }): T[] {
  return options.given.map((name) => {
    const found = options.known.find((known) => known === name);
    if (found === undefined) throw new Error(`${path}: ${name} is not known`);
    return found;
  });
}
