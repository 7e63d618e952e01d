// The command line: what is accepted, and what an error says.
import { describe, expect, test } from 'vitest';
import { parseCommandLine } from './arguments.js';
import { COMMANDS } from './commands.js';
import { CliError, EXIT_USAGE } from './errors.js';

function parse(...argv: string[]) {
  return parseCommandLine(argv, COMMANDS);
}

function input(...argv: string[]) {
  const request = parse(...argv);
  if (request.kind !== 'run') throw new Error(`asked for ${request.kind}`);
  return request.input;
}

function faultOf(...argv: string[]): CliError {
  try {
    parse(...argv);
  } catch (error) {
    if (error instanceof CliError) return error;
    throw error;
  }
  throw new Error('no fault');
}

describe('parseCommandLine', () => {
  test.each([[[]], [['help']], [['--help']], [['-h']]])('%j asks for the overview', (argv) => {
    expect(parse(...argv).kind).toBe('overview');
  });

  test('every command has help, in both forms', () => {
    for (const { name, passThrough } of COMMANDS) {
      expect(parse('help', name)).toMatchObject({ kind: 'help', command: { name } });
      // A command that passes its arguments on leaves --help to the program that gets them.
      expect(parse(name, '--help').kind).toBe(passThrough === true ? 'run' : 'help');
    }
  });

  test('options have their types', () => {
    const { options } = input('up', '--detach', '--gateways', '2', '--languages', 'python, c,python', '--port=9000');
    expect(options.flag('detach')).toBe(true);
    expect(options.integer('gateways')).toBe(2);
    expect(options.list('languages')).toEqual(['python', 'c']);
    expect(options.integer('port')).toBe(9000);
    expect(options.integer('workers')).toBeUndefined();
    expect(options.flag('workers')).toBe(false);
  });

  test('a text option that looks like a number stays text', () => {
    expect(input('token', '--user', '007').options.text('user')).toBe('007');
  });

  test('everything after -- belongs to the program, --help too', () => {
    expect(input('run', 'a.py', '--', '--help', '-x').positionals).toEqual(['a.py', '--help', '-x']);
  });

  test('bench gets its arguments unparsed', () => {
    expect(input('bench', '--json', '--help').positionals).toEqual(['--json', '--help']);
  });

  test.each([
    [['frobnicate'], 'unknown command "frobnicate"'],
    [['up', '--gateways', '0'], '--gateways takes a whole number from 1 to 32, not "0"'],
    [['up', '--gateways', '1e3'], '--gateways takes a whole number from 1 to 32, not "1e3"'],
    [['up', '--languages', 'a,,b'], '--languages takes names separated by commas'],
    [['up', '--nonsense'], "Unknown option '--nonsense'"],
    [['up', 'now'], 'unexpected argument "now"'],
    [['run'], 'FILE is missing'],
  ])('%j is refused with a message that says why', (argv, message) => {
    const fault = faultOf(...argv);
    expect(fault.message).toContain(message);
    expect(fault.exitCode).toBe(EXIT_USAGE);
  });
});
