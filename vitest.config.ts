// The kinds of tests, and how many of their files run beside each other: unit tests, then those over real services, then chaos, then those that need the machine.
import { configDefaults, defineConfig } from 'vitest/config';

const SOURCES = '{proto,packages/*,services/*,loadtest}/src/**';
/** Files of long tests are for `./rungrid test --all`, which sets this variable; nothing else reads it. */
const LONG = process.env['RUNGRID_TEST_LONG'] === '1' ? [] : ['**/*.long.test.ts'];
/** One process runs many files: half of the time of unit tests went into starting one for each. Tests leave no state behind in modules. */
const isolate = false;
const exclude = [...configDefaults.exclude, ...LONG];
/** They measure time, memory or echo latency, take the engine away, or look at all of its containers: nothing may run beside them. */
const EXCLUSIVE = '**/*.exclusive.{test,long.test}.ts';
/** Most of a test over real services is waiting for a container or a limit, so several fit on two cores. */
const FILES_AT_ONCE = 4;
/** Tests at once of a file that declares them concurrent. */
const TESTS_AT_ONCE = 4;

interface Kind {
  readonly include: string[];
  /** Files at once. Default 4. Kinds of the same order run together, and share their workers. */
  readonly files?: number;
  readonly order: number;
  readonly exclusive?: boolean;
}

function overRealServices(name: string, { include, files = FILES_AT_ONCE, order, exclusive = false }: Kind) {
  return {
    test: {
      name,
      include,
      exclude: exclusive ? exclude : [...exclude, EXCLUSIVE],
      isolate,
      maxWorkers: files,
      fileParallelism: files > 1,
      maxConcurrency: TESTS_AT_ONCE,
      sequence: { groupOrder: order },
      // No rule: a test that hangs must end. What takes 20 s alone may take a minute beside others.
      testTimeout: 120_000,
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
          exclude: [...exclude, '**/*.{docker,redis}.*'],
          isolate,
          sequence: { groupOrder: 0 },
        },
      },
      overRealServices('redis', { include: [`${SOURCES}/*.redis.test.ts`], order: 1 }),
      overRealServices('docker', { include: [`${SOURCES}/*.docker.test.ts`], order: 1 }),
      overRealServices('e2e', { include: ['tests/src/e2e/**/*.test.ts'], order: 1 }),
      overRealServices('security', { include: ['tests/src/security/**/*.test.ts'], order: 1 }),
      overRealServices('browser', { include: ['tests/src/browser/**/*.test.ts'], order: 1 }),
      overRealServices('chaos', { include: ['tests/src/chaos/**/*.test.ts'], order: 2 }),
      overRealServices('exclusive', {
        include: [`${SOURCES}/*.docker.exclusive.{test,long.test}.ts`, 'tests/src/**/*.exclusive.{test,long.test}.ts'],
        files: 1,
        order: 3,
        exclusive: true,
      }),
    ],
  },
});
