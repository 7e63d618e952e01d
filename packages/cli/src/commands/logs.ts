// `logs`: shows the last lines of each log, and with --follow the lines that are added.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandInput, CommandModule } from '../command.js';
import { CliError, EXIT_USAGE } from '../errors.js';
import { runAttached, tail } from '../exec.js';
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
  if (names.length === 0) throw new CliError(`there are no logs in ${logs} yet: ./rungrid up creates them.`);
  const [asked] = input.positionals;
  if (asked !== undefined && !names.includes(asked)) {
    throw new CliError(`there is no log "${asked}"; available: ${names.join(', ')}`, { exitCode: EXIT_USAGE });
  }
  const shown = asked === undefined ? names : [asked];
  const lines = input.options.integer('lines') ?? DEFAULT_LINES;
  if (input.options.flag('follow')) {
    const files = shown.map((name) => join(logs, `${name}.log`));
    // tail(1) follows a file over a rename, which is how a new start keeps the previous log.
    await runAttached(['tail', '--follow=name', '--retry', '--quiet', `--lines=${lines}`, ...files]);
    return 0;
  }
  for (const name of shown) {
    const text = tail(join(logs, `${name}.log`), lines);
    process.stdout.write(`${shown.length > 1 ? `== ${name}\n` : ''}${text}${text === '' ? '' : '\n'}`);
  }
  return 0;
}
