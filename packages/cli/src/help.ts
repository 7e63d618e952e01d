// Help texts, generated from the commands' tables: one screen for the overview, one for each command.
import type { CommandSpec } from './command.js';

export function overview(commands: readonly CommandSpec[]): string {
  const rows = commands.map((command) => [command.name, command.summary] as const);
  return `Rungrid runs untrusted programs interactively, each in its own sandbox.

Usage: ./rungrid COMMAND [options]

${table(rows)}

\`./rungrid COMMAND --help\` lists a command's options.
First steps: ./rungrid up --detach, open the address that it prints, ./rungrid run hello.py, ./rungrid down.
`;
}

export function commandHelp(command: CommandSpec): string {
  const rows = Object.entries(command.options).map(
    ([name, spec]) => [`--${name}${spec.value === undefined ? '' : ` ${spec.value}`}`, spec.help] as const,
  );
  const options = rows.length === 0 ? '' : `\nOptions\n${table(rows)}\n`;
  return (
    `Usage: ./rungrid ${command.name} ${command.usage}`.trimEnd() +
    `\n\n${capitalized(command.summary)}.\n\n${command.details}\n${options}`
  );
}

function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n');
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
