// Which languages are served and tested when nobody says, and how a person says otherwise.
import { builtInLanguages, type Language } from './languages.js';

/** What `./rungrid up` serves when nobody says, in the order in which people meet them. */
export const DEFAULT_LANGUAGES = ['python', 'javascript', 'typescript', 'bash', 'c', 'cpp', 'java', 'go'] as const;

/**
 * What the suites over real sandboxes take when nobody says: each way in which a program begins (an interpreter that waits by a hook or at a gate,
 * a start, a compile step), within the minutes that a test run may take.
 */
const TESTED_LANGUAGES = ['python', 'javascript', 'bash', 'c', 'ruby'] as const;

/**
 * Those above; all of them with RUNGRID_TEST_LONG=1 (`./rungrid test --all`); those that RUNGRID_TEST_LANGUAGES names, a comma list.
 * Throws for an unknown name.
 */
export function testedLanguages(env: NodeJS.ProcessEnv = process.env): Language[] {
  const all = builtInLanguages();
  const asked = env['RUNGRID_TEST_LANGUAGES'] ?? '';
  if (asked === '') {
    const isTested = ({ name }: Language): boolean => TESTED_LANGUAGES.some((each) => each === name);
    return env['RUNGRID_TEST_LONG'] === '1' ? [...all] : all.filter(isTested);
  }
  return asked.split(',').map((name) => {
    const found = all.find((language) => language.name === name.trim());
    if (found === undefined) throw new Error(`RUNGRID_TEST_LANGUAGES: no language "${name.trim()}"`);
    return found;
  });
}
