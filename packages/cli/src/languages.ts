// Languages by the names that people give them.
import { builtInLanguages, type Language, resolveLanguage } from '@rungrid/sandbox/languages';
import { CliError, EXIT_USAGE } from './errors.js';

/** Each once, in the order asked for; `all` means all. Throws CliError for a name that none has. */
export function pickLanguages(names: readonly string[]): Language[] {
  if (names.length === 1 && names[0] === 'all') return [...builtInLanguages()];
  const languages = names.map((name) => {
    const language = resolveLanguage(name);
    if (language === undefined) {
      const known = builtInLanguages().map((each) => each.name);
      throw new CliError(`there is no language "${name}"; these are there: ${known.join(', ')}`, {
        exitCode: EXIT_USAGE,
      });
    }
    return language;
  });
  return [...new Set(languages)];
}
