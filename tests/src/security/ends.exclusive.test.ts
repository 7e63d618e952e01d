// When runs end that go over a limit, from counters taken outside: not long after it, and not before.
import { expect, test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';

/** A sandbox has a fifth of a processor, so CPU time takes five times as long by the wall. */
const CPUS = 0.2;
const CPU_MS = 600;
/** From the first refused process to the end, ms; filling the limit takes a few hundred at that speed. */
const FORK_MS = { limit: 1_000, filling: 1_000 } as const;
const stack = useStack({ languages: ['python', 'c'] });

test('a loop is ended at its CPU limit: not before, and about when a fifth of a processor gets there', async () => {
  const client = await stack().connect();
  const exit = await client.run('while True: pass', 'python', { limits: { cpu_ms: CPU_MS } }).exit(40_000);
  expect(exit.reason).toBe('cpu_limit');
  expect(exit.usage.cpu_ms).toBeGreaterThanOrEqual(CPU_MS);
  expect(exit.usage.cpu_ms).toBeLessThan(CPU_MS * 1.25);
  // ends.long has the narrow target, with the default limit; here the reap's quarter of a second weighs more.
  expect(exit.usage.wall_ms).toBeGreaterThan((CPU_MS / CPUS) * 0.8);
  expect(exit.usage.wall_ms).toBeLessThan((CPU_MS / CPUS) * 1.6);
});

test.each([
  ['python', 'import os\nwhile True:\n    os.fork()'],
  ['python', 'import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass'],
  ['c', '#include <unistd.h>\nint main(void) { for (;;) fork(); }'],
])('a fork bomb in %s is over within a second of the limit, by its name: %s', async (language, code) => {
  const client = await stack().connect();
  const exit = await client.run(code, language).exit(20_000);
  expect(exit.reason).toBe('process_limit');
  expect(exit.usage.wall_ms).toBeLessThan(FORK_MS.filling + FORK_MS.limit);
});
