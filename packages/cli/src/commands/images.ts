// `images`: builds the sandbox images in a running engine, and starts nothing.
import { builtInLanguages } from '@rungrid/sandbox/languages';
import type { CommandInput, CommandModule } from '../command.js';
import { findEngine } from '../infra/engine.js';
import { ensureImages } from '../infra/images.js';
import { pickLanguages } from '../languages.js';
import { makeFolders, resolvePaths } from '../paths.js';

export const command: CommandModule = { run };

async function run(input: CommandInput): Promise<number> {
  const paths = resolvePaths();
  makeFolders(paths);
  const names = input.options.list('languages');
  const languages = names === undefined ? builtInLanguages() : pickLanguages(names);
  await ensureImages(languages, { host: await findEngine(paths), paths });
  return 0;
}
