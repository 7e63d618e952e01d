// The kinds of tests: unit tests beside the sources, in parallel; then those over real parts, kind by kind, one file at a time.
import { configDefaults, defineConfig } from 'vitest/config';

const SOURCES = '{proto,packages/*,services/*,loadtest}/src/**';
/** Files of long tests are for `./rungrid test --all`, which sets this variable; nothing else reads it. */
const LONG = process.env['RUNGRID_TEST_LONG'] === '1' ? [] : ['**/*.long.test.ts'];
const exclude = [...configDefaults.exclude, ...LONG];

/** Tests that share the machine's container engine and cores: their figures and their cleanup would disturb each other. */
function overRealParts(name: string, options: { include: string[]; order: number }) {
  return {
    test: {
      name,
      include: options.include,
      exclude,
      maxWorkers: 1,
      fileParallelism: false,
      sequence: { groupOrder: options.order },
      testTimeout: 60_000,
      hookTimeout: 180_000,
      teardownTimeout: 60_000,
    },
  };
}

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: [`${SOURCES}/*.test.ts`, 'tests/src/testkit/**/*.test.ts'],
          exclude: [...exclude, '**/*.{docker,redis}.test.ts'],
          sequence: { groupOrder: 0 },
        },
      },
      overRealParts('docker', { include: [`${SOURCES}/*.{docker,redis}.test.ts`], order: 1 }),
      overRealParts('e2e', { include: ['tests/src/e2e/**/*.test.ts'], order: 2 }),
      overRealParts('security', { include: ['tests/src/security/**/*.test.ts'], order: 3 }),
      overRealParts('chaos', { include: ['tests/src/chaos/**/*.test.ts'], order: 4 }),
      overRealParts('browser', { include: ['tests/src/browser/**/*.test.ts'], order: 5 }),
    ],
  },
});
