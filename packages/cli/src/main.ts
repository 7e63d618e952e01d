// The CLI's entry: finds the command, and turns any error into one message and an exit code.
import { parseCommandLine } from './arguments.js';
import { COMMANDS } from './commands.js';
import { CliError, EXIT_FAULT, messageOf } from './errors.js';
import { commandHelp, overview } from './help.js';

async function main(argv: readonly string[]): Promise<number> {
  const request = parseCommandLine(argv, COMMANDS);
  switch (request.kind) {
    case 'overview':
      process.stdout.write(overview(COMMANDS));
      return 0;
    case 'help':
      process.stdout.write(commandHelp(request.command));
      return 0;
    case 'run': {
      const command = await request.command.load();
      return command.run(request.input);
    }
  }
}

// The reader of our output may close it at any time (`| head`): the rest is dropped.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`rungrid: ${describe(error)}\n`);
  process.exitCode = error instanceof CliError ? error.exitCode : EXIT_FAULT;
}
// Flush the output, then exit: sockets to a hung engine must not keep a finished command alive.
process.stdout.write('', () => process.stderr.write('', () => process.exit()));

/** An error that the user can act on is one message; any other one is a bug, and shows its stack. */
function describe(error: unknown): string {
  if (error instanceof CliError || !(error instanceof Error)) return messageOf(error);
  return error.stack ?? error.message;
}
