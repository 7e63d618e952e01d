// Parses the command line by the commands' own tables; an error names the word and points to the help.
import { parseArgs } from 'node:util';
import type { CommandInput, CommandSpec, Options, OptionSpec } from './command.js';
import { CliError, EXIT_USAGE, messageOf } from './errors.js';

export type Request =
  | { readonly kind: 'overview' }
  | { readonly kind: 'help'; readonly command: CommandSpec }
  | { readonly kind: 'run'; readonly command: CommandSpec; readonly input: CommandInput };

type Value = string | boolean | number | string[];

/** Throws CliError with exit code 2 for an invalid command line. */
export function parseCommandLine(argv: readonly string[], commands: readonly CommandSpec[]): Request {
  const [first, ...rest] = argv;
  if (first === undefined || first === '--help' || first === '-h') return { kind: 'overview' };
  if (first === 'help')
    return rest[0] === undefined ? { kind: 'overview' } : { kind: 'help', command: find(rest[0], commands) };
  const command = find(first, commands);
  if (command.passThrough === true)
    return { kind: 'run', command, input: { positionals: rest, options: optionsOf({}) } };
  if (asksForHelp(rest)) return { kind: 'help', command };
  return { kind: 'run', command, input: parseInput(rest, command) };
}

function find(name: string, commands: readonly CommandSpec[]): CommandSpec {
  const command = commands.find((each) => each.name === name);
  if (command === undefined)
    throw new CliError(`unknown command "${name}"; \`rungrid help\` lists the commands`, { exitCode: EXIT_USAGE });
  return command;
}

/** `--help` after `--` belongs to the program that is run. */
function asksForHelp(words: readonly string[]): boolean {
  const end = words.indexOf('--');
  const own = end === -1 ? words : words.slice(0, end);
  return own.includes('--help') || own.includes('-h');
}

function parseInput(words: readonly string[], command: CommandSpec): CommandInput {
  const fail = (message: string) =>
    new CliError(`${message}; see \`rungrid ${command.name} --help\``, { exitCode: EXIT_USAGE });
  const config = Object.fromEntries(
    Object.entries(command.options).map(([name, spec]) => [
      name,
      { type: spec.type === 'boolean' ? ('boolean' as const) : ('string' as const) },
    ]),
  );
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...words], options: config, allowPositionals: true, strict: true });
  } catch (error) {
    // After its first sentence, Node's message gives advice about Node's own syntax.
    throw fail(messageOf(error).split('. ')[0] ?? '');
  }
  const { min, max } = command.positionals;
  if (parsed.positionals.length < min) throw fail(`${command.usage.split(' ')[0]} is missing`);
  if (parsed.positionals.length > max) throw fail(`unexpected argument "${parsed.positionals[max]}"`);
  const values: Record<string, Value> = {};
  for (const [name, value] of Object.entries(parsed.values)) {
    const spec = command.options[name];
    if (spec === undefined) continue;
    const converted = convert(value as string | boolean, spec);
    if (converted === undefined) throw fail(`--${name} takes ${expectation(spec)}, not "${String(value)}"`);
    values[name] = converted;
  }
  return { positionals: parsed.positionals, options: optionsOf(values) };
}

function convert(value: string | boolean, spec: OptionSpec): Value | undefined {
  if (typeof value === 'boolean') return value;
  switch (spec.type) {
    case 'integer': {
      const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN;
      return number >= (spec.min ?? 0) && number <= (spec.max ?? 2 ** 31 - 1) ? number : undefined;
    }
    case 'list': {
      const items = value.split(',').map((item) => item.trim());
      return items.every((item) => item !== '') ? [...new Set(items)] : undefined;
    }
    case 'string':
    case 'boolean':
      return value;
  }
}

function expectation(spec: OptionSpec): string {
  if (spec.type === 'integer') return `a whole number from ${spec.min ?? 0} to ${spec.max ?? 2 ** 31 - 1}`;
  return 'names separated by commas';
}

function optionsOf(values: Readonly<Record<string, Value>>): Options {
  const get = <T extends Value>(name: string, is: (value: Value) => value is T): T | undefined => {
    const value = values[name];
    return value !== undefined && is(value) ? value : undefined;
  };
  return {
    flag: (name) => values[name] === true,
    text: (name) => get(name, (value): value is string => typeof value === 'string'),
    integer: (name) => get(name, (value): value is number => typeof value === 'number'),
    list: (name) => get(name, (value): value is string[] => Array.isArray(value)),
  };
}
