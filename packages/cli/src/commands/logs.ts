// `logs`: the end of what the parts wrote, and with --follow what comes.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandInput, CommandModule } from '../command.js';
import { CliError, EXIT_USAGE } from '../errors.js';
import { tail } from '../exec.js';
import { resolvePaths } from '../paths.js';

const DEFAULT_LINES = 20;

export const command: CommandModule = { run };

async function run(input: CommandInput): Promise<number> {
  const { logs } = resolvePaths();
  const names = existsSync(logs)
    ? readdirSync(logs)
        .filter((file) => file.endsWith('.log'))
        .map((file) => file.slice(0, -'.log'.length))
        .toSorted()
    : [];
  if (names.length === 0) throw new CliError(`there are no logs in ${logs} yet: ./rungrid up makes them.`);
  const [asked] = input.positionals;
  if (asked !== undefined && !names.includes(asked)) {
    throw new CliError(`there is no log "${asked}"; these are there: ${names.join(', ')}`, { exitCode: EXIT_USAGE });
  }
  const shown = asked === undefined ? names : [asked];
  const lines = input.options.integer('lines') ?? DEFAULT_LINES;
  if (input.options.flag('follow'))
    return follow(
      shown.map((name) => join(logs, `${name}.log`)),
      lines,
    );
  for (const name of shown) {
    const text = tail(join(logs, `${name}.log`), lines);
    process.stdout.write(`${shown.length > 1 ? `== ${name}\n` : ''}${text}${text === '' ? '' : '\n'}`);
  }
  return 0;
}

/** tail(1) follows files over a rename, which is how logs are kept at a new start. */
function follow(files: readonly string[], lines: number): Promise<number> {
  const child = spawn('tail', ['--follow=name', '--retry', '--quiet', `--lines=${lines}`, ...files], {
    stdio: 'inherit',
  });
  process.on('SIGINT', () => undefined);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => resolve(0));
  });
}
