// The languages that run and are tested by default, and how to choose others.
import { builtInLanguages, type Language } from './languages.js';

/** Those of `./rungrid up` by default, in the order of the playground's list. */
export const DEFAULT_LANGUAGES = ['python', 'javascript', 'typescript', 'bash', 'c', 'cpp', 'java', 'go'] as const;

/**
 * Languages of the suites over real sandboxes by default: each way in which a program begins (an interpreter that waits by a hook or at a gate,
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
