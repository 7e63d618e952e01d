// `language list|add|test`: lists languages, creates a folder for a new one, runs its samples in real sandboxes.
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtInLanguages, LANGUAGES_DIR, languageMode, TEMPLATE_DIR } from '@rungrid/sandbox/languages';
import type { CommandInput, CommandModule } from '../command.js';
import { CliError, EXIT_USAGE } from '../errors.js';
import { pickLanguages } from '../languages.js';
import { runLanguageSamples } from './test.js';

/** A folder name, and part of an image tag. */
const NAME = /^[a-z][a-z0-9-]{0,31}$/;

export const command: CommandModule = { run };

async function run(input: CommandInput): Promise<number> {
  const [verb, name, ...samples] = input.positionals;
  if (verb === 'list' && name === undefined) return list();
  if (verb === 'add' && name !== undefined && samples.length === 0) return add(name);
  if (verb === 'test' && name !== undefined) return runLanguageSamples(pickLanguages([name]), samples);
  throw new CliError('use `language list`, `language add NAME` or `language test NAME [SAMPLE…]`', {
    exitCode: EXIT_USAGE,
  });
}

function list(): number {
  const rows = builtInLanguages().map((language) => [
    language.name,
    language.version,
    languageMode(language),
    language.aliases.join(', '),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  for (const row of rows) {
    const line = row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ');
    process.stdout.write(`${line.trimEnd()}\n`);
  }
  return 0;
}

function add(name: string): number {
  if (!NAME.test(name))
    throw new CliError('a name is 1 to 32 of a-z 0-9 -, and starts with a letter', { exitCode: EXIT_USAGE });
  const folder = join(LANGUAGES_DIR, name);
  if (existsSync(folder)) throw new CliError(`${folder} already exists`);
  cpSync(TEMPLATE_DIR, folder, { recursive: true });
  for (const path of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!path.isFile()) continue;
    const file = join(path.parentPath, path.name);
    writeFileSync(file, readFileSync(file, 'utf8').replaceAll('TEMPLATE', name));
  }
  process.stdout.write(
    `${folder}\n  Replace every TODO: in language.json, image/setup.sh, and the programs in samples/.\n  Then: ./rungrid language test ${name}\n`,
  );
  return 0;
}
