// A new program that many clients run at the same moment is compiled once.
import { expect, test } from 'vitest';
import type { Client } from '../testkit/client.js';
import { scrape } from '../testkit/metrics.js';
import type { RunHandle } from '../testkit/run-handle.js';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const CLIENTS = 5;
const RUNS = 40;
const CODE = '#include <stdio.h>\nint main(void) { char x = 300; puts("hello"); return x == 0; }\n';

const stack = useStack({ languages: ['c'] });

test('forty runs of one new program have it compiled once, and each gets its warning and its output', async () => {
  const clients = await Promise.all(Array.from({ length: CLIENTS }, () => stack().connect()));
  await Promise.all(
    Array.from({ length: RUNS }, async (_, index) => {
      const run = await accepted(clients[index % CLIENTS] as Client);
      expect(await run.exit(150_000), run.describe()).toMatchObject({ reason: 'exited', code: 0 });
      expect(run.stdout).toBe('hello\n');
      expect(run.compileText).toContain('warning:');
    }),
  );
  const samples = await scrape(stack().worker.metrics);
  const by = (source: string) =>
    samples.find(({ name, labels }) => name === 'rungrid_worker_compiled_programs_total' && labels['source'] === source)
      ?.value ?? 0;
  expect(by('compiled')).toBe(1);
  // A run that a worker receives twice, because its gateway queued it again, counts twice.
  expect(by('joined') + by('memory')).toBeGreaterThanOrEqual(RUNS - 1);
}, 180_000);

/** Submits until the queue takes it: while the program is compiled nothing is claimed, so that a wait seems to be endless. */
async function accepted(client: Client): Promise<RunHandle> {
  return until(
    async () => {
      const run = client.run(CODE, 'c');
      await client.waitFor(() => run.events.length > 0, { what: 'an answer', timeoutMs: 60_000 });
      return run.ended?.event === 'error' && run.ended.data.code === 'overloaded' ? undefined : run;
    },
    { what: 'a place in the queue', timeoutMs: 120_000, everyMs: 500 },
  );
}
