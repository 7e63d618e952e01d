// A new program that many clients run at the same moment is compiled once.
import { expect, test } from 'vitest';
import { scrape } from '../testkit/metrics.js';
import { useStack } from '../testkit/use-stack.js';

const CLIENTS = 5;
/** As many as a socket may have. */
const RUNS_EACH = 8;
const CODE = '#include <stdio.h>\nint main(void) { char x = 300; puts("hello"); return x == 0; }\n';

const stack = useStack({ languages: ['c'] });

test('forty runs of one new program have it compiled once, and each gets its warning and its output', async () => {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => stack().connect()));
  const runs = clients.flatMap((client) => Array.from({ length: RUNS_EACH }, () => client.run(CODE, 'c')));
  for (const run of runs) {
    expect(await run.exit(150_000), run.describe()).toMatchObject({ reason: 'exited', code: 0 });
    expect(run.stdout).toBe('hello\n');
    expect(run.compileText).toContain('warning:');
  }
  const samples = await scrape(stack().worker.metrics);
  const by = (source: string) =>
    samples.find(({ name, labels }) => name === 'rungrid_worker_compiled_programs_total' && labels['source'] === source)
      ?.value ?? 0;
  expect(by('compiled')).toBe(1);
  expect(by('joined') + by('memory')).toBe(runs.length - 1);
}, 180_000);
