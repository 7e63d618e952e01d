// Resolves the language names on the command line.
import { builtInLanguages, type Language, resolveLanguage } from '@rungrid/sandbox/languages';
import { CliError, EXIT_USAGE } from './errors.js';

/** The languages without duplicates, in the given order; `all` means all. Throws CliError for an unknown name. */
export function pickLanguages(names: readonly string[]): Language[] {
  if (names.length === 1 && names[0] === 'all') return [...builtInLanguages()];
  const languages = names.map((name) => {
    const language = resolveLanguage(name);
    if (language === undefined) {
      const known = builtInLanguages().map((each) => each.name);
      throw new CliError(`unknown language "${name}"; available: ${known.join(', ')}`, {
        exitCode: EXIT_USAGE,
      });
    }
    return language;
  });
  return [...new Set(languages)];
}
