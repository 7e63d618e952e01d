// Help fits one screen, and the documents name only commands and options that exist.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseCommandLine } from './arguments.js';
import { COMMANDS } from './commands.js';
import { commandHelp, overview } from './help.js';
import { ROOT } from './paths.js';

const SCREEN = { columns: 120, rows: 24 };

describe('help', () => {
  test('lists every command on one screen', () => {
    const lines = overview(COMMANDS).split('\n');
    expect(lines.length).toBeLessThanOrEqual(SCREEN.rows);
    for (const { name } of COMMANDS) expect(lines.some((line) => line.startsWith(`  ${name} `))).toBe(true);
  });

  test.each(COMMANDS.map((command) => [command.name, command] as const))(
    '%s: every option is explained, in lines that fit',
    (_, command) => {
      const text = commandHelp(command);
      for (const option of Object.keys(command.options)) expect(text).toContain(`--${option}`);
      for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(SCREEN.columns + 20);
    },
  );
});

describe.each(['README.md', 'CONTRIBUTING.md', 'ARCHITECTURE.md'])('%s', (file) => {
  // In a code span or block a call ends with the span, the line, or the shell's next word.
  const calls = [...readFileSync(join(ROOT, file), 'utf8').matchAll(/\.\/rungrid\b([^`\n#;|&]*)/g)].map((match) =>
    (match[1] ?? '').split(/\s+/).filter((word) => word !== ''),
  );

  test('names commands', () => {
    expect(calls.length).toBeGreaterThan(0);
  });

  test.each(calls.map((words) => [words.join(' '), words] as const))('./rungrid %s exists', (_, words) => {
    const [name = 'help', ...rest] = words;
    const options = rest.filter((word) => word.startsWith('--'));
    const command = COMMANDS.find((each) => each.name === name);
    if (name === 'help' || name === 'COMMAND') return;
    expect(command, `command ${name}`).toBeDefined();
    if (command?.passThrough === true) return;
    for (const option of options) expect(Object.keys(command?.options ?? {})).toContain(option.slice(2).split('=')[0]);
    expect(() => parseCommandLine([name, '--help'], COMMANDS)).not.toThrow();
  });
});
