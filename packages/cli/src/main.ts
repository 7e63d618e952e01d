// The CLI's entry: finds the command, and turns whatever goes wrong into one message and an exit code.
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

// Who reads our output may go at any time (`| head`): what can't be written is not missed.
process.stdout.on('error', () => undefined);
process.stderr.on('error', () => undefined);
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`rungrid: ${describe(error)}\n`);
  process.exitCode = error instanceof CliError ? error.exitCode : EXIT_FAULT;
}
// Sockets to an engine that hangs must not keep a finished command alive; what was written goes out first.
process.stdout.write('', () => process.stderr.write('', () => process.exit()));

/** A fault that somebody can act on is one message; any other one is ours, and its place matters. */
function describe(error: unknown): string {
  if (error instanceof CliError || !(error instanceof Error)) return messageOf(error);
  return error.stack ?? error.message;
}
