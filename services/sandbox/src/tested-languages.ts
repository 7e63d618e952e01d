// Which languages the suites over real sandboxes take: the default set, all of them, or those that a variable names.
import { builtInLanguages, type Language } from './languages.js';

/** What `./rungrid up` serves when nobody says, in the order in which people meet them. */
export const DEFAULT_LANGUAGES = ['python', 'javascript', 'typescript', 'bash', 'c', 'cpp', 'java', 'go'] as const;

/**
 * The default set; all of them with RUNGRID_TEST_LONG=1 (`./rungrid test --all`); those that RUNGRID_TEST_LANGUAGES names, a comma
 * list. Throws for an unknown name.
 */
export function testedLanguages(env: NodeJS.ProcessEnv = process.env): Language[] {
  const all = builtInLanguages();
  const asked = env['RUNGRID_TEST_LANGUAGES'] ?? '';
  if (asked === '') {
    const isDefault = ({ name }: Language): boolean => DEFAULT_LANGUAGES.some((each) => each === name);
    return env['RUNGRID_TEST_LONG'] === '1' ? [...all] : all.filter(isDefault);
  }
  return asked.split(',').map((name) => {
    const found = all.find((language) => language.name === name.trim());
    if (found === undefined) throw new Error(`RUNGRID_TEST_LANGUAGES: no language "${name.trim()}"`);
    return found;
  });
}
