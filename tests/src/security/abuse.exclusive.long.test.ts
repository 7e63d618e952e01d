// Twenty abuse programs at once, of five kinds, beside a co-tenant: each ends for its own reason, and nothing of any is left.
import { type AbuseProgram, ABUSE_PROGRAMS } from '@rungrid/loadtest/abuse-programs';
import { afterAll, expect, test } from 'vitest';
import { CoTenant, quantile } from '../testkit/co-tenant.js';
import { remainsOf, type Trace, traceOf } from '../testkit/outside.js';
import type { Stack } from '../testkit/stack.js';
import { useStack } from '../testkit/use-stack.js';
import { quietFor } from '@rungrid/testkit/until';

const OF_EACH = 4;
const TEARDOWN_MS = 2_000;
/** The co-tenant lives in the process of the test, which also receives their output: the bench's `abuse programs` scenario measures its latency. */
const ECHO_P99_MS = 1_000;
const stack = useStack({ languages: ['python', 'c'], workerEnv: { WORKER_CPU_MS: '1000' } });
const figures: Record<string, string | number>[] = [];
afterAll(() => {
  // oxlint-disable-next-line no-console -- figures for people: the targets are the report's
  console.table(figures);
});

/** Notes every sandbox that there is or will be, until stopped. */
function traceAll(of: Stack): { traces: Map<string, Trace>; stop: () => Promise<void> } {
  const traces = new Map<string, Trace>();
  const stopped = new AbortController();
  const loop = (async () => {
    while (!stopped.signal.aborted) {
      // One that ended between the listing and the look had nothing to run.
      for (const { id } of await of.sandboxes())
        if (!traces.has(id))
          await traceOf(id)
            .then((trace) => traces.set(id, trace))
            .catch(() => undefined);
      await quietFor(50);
    }
  })();
  return {
    traces,
    stop: () => {
      stopped.abort();
      return loop;
    },
  };
}

async function runAtOnce(programs: readonly AbuseProgram[]): Promise<void> {
  const coTenant = await CoTenant.start(stack(), { paceMs: 10 });
  await coTenant.alive(100);
  const idle = coTenant.timesMs.slice();
  const { traces, stop } = traceAll(stack());
  const client = await stack().connect();
  const others = await stack().connect();
  const third = await stack().connect();
  const startMs = performance.now();
  const runs = programs.map((program, index) => ({
    program,
    run: ([client, others, third][index % 3] ?? client).run(program.code, program.language),
  }));
  const ends = await Promise.all(runs.map(async ({ program, run }) => ({ program, exit: await run.exit(120_000) })));
  const tookMs = performance.now() - startMs;
  const during = coTenant.timesMs.slice(idle.length);
  await quietFor(TEARDOWN_MS);
  await stop();
  const left = await stack().sandboxes();
  const removed = [...traces.values()].filter((trace) => !left.some(({ id }) => id === trace.id));
  const p99 = quantile(during, 0.99);
  figures.push({
    programs: programs
      .map(({ name }) => name)
      .join()
      .slice(0, 40),
    runs: programs.length,
    'all ended ms': Math.round(tookMs),
    'idle echo p50 / p99 ms': `${quantile(idle, 0.5).toFixed(1)} / ${quantile(idle, 0.99).toFixed(1)}`,
    'echo p50 / p99 / worst ms': [quantile(during, 0.5), p99, Math.max(...during)]
      .map((ms) => ms.toFixed(1))
      .join(' / '),
    echoes: during.length,
    'sandboxes removed': removed.length,
  });
  for (const { program, exit } of ends) expect(exit, program.name).toMatchObject({ reason: program.reason });
  expect(left.filter(({ running }) => running)).toHaveLength(1);
  // Some come and go between two looks, and are not noted.
  expect(removed.length).toBeGreaterThanOrEqual(programs.length / 2);
  expect(removed.flatMap(remainsOf)).toEqual([]);
  await coTenant.alive();
  await coTenant.close();
  expect(p99).toBeLessThan(ECHO_P99_MS);
}

test.each(ABUSE_PROGRAMS)(
  'twenty $name abuse programs at once end by $reason each',
  async (program) => runAtOnce(Array.from({ length: ABUSE_PROGRAMS.length * OF_EACH }, () => program)),
  300_000,
);

test('twenty abuse programs of all kinds at once: each for its own reason', async () => {
  await runAtOnce(Array.from({ length: OF_EACH }, () => ABUSE_PROGRAMS).flat());
}, 300_000);
