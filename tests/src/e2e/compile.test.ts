// Compiled programs over the real stack: compiled once for all clients, kept in memory and in Redis, with the true reason when they do not compile.
import { describe, expect, test } from 'vitest';
import { scrape } from '../testkit/metrics.js';
import type { Stack, Worker } from '../testkit/stack.js';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const stack = useStack({ afterEach: 'clean', languages: ['c'] });

/** Seconds of work for the compiler: 10 000 calls out of a few macros. */
const SLOW_BODY = 'A(A(A(A(printf("%d", x++);))))';
const SLOW = `#define A(x) x x x x x x x x x x\nint x;\n`;

let programs = 0;
/** A program that has not been compiled yet. */
function fresh(body: string): string {
  programs += 1;
  return `#include <stdio.h>\n// program ${programs} of process ${process.pid}\nint main(void) { ${body} }\n`;
}

/** How often programs came from each source, on this worker. */
async function programsBySource(worker: Worker): Promise<Record<string, number>> {
  const samples = await scrape(worker.metrics);
  const counts: Record<string, number> = {};
  for (const { name, labels, value } of samples) {
    if (name === 'rungrid_worker_compiled_programs_total') counts[labels['source'] ?? ''] = value;
  }
  return counts;
}

async function since<T>(worker: Worker, act: () => Promise<T>): Promise<{ result: T; by: (source: string) => number }> {
  const before = await programsBySource(worker);
  const result = await act();
  const after = await programsBySource(worker);
  return { result, by: (source) => (after[source] ?? 0) - (before[source] ?? 0) };
}

const worker = (of: Stack = stack()): Worker => of.workers[0] as Worker;

test('the same program is compiled anew when one character changes', async () => {
  const client = await stack().connect();
  const code = fresh('puts("a");');
  const { by } = await since(worker(), async () => {
    await client.run(code, 'c').exit();
    await client.run(code.replace('"a"', '"b"'), 'c').exit();
    const again = client.run(code, 'c');
    await again.exit();
    expect(again.stdout).toBe('a\n');
  });
  expect([by('compiled'), by('memory')]).toEqual([2, 1]);
});

test('another file beside it is another program, its arguments and input are not', async () => {
  const client = await stack().connect();
  const code = `#include "x.h"\n${fresh('char line[20]; printf("%d %s", X, fgets(line, 20, stdin));')}`;
  const { by } = await since(worker(), async () => {
    for (const [content, stdin] of [
      ['#define X 1\n', 'one\n'],
      ['#define X 2\n', 'two\n'],
      ['#define X 2\n', 'three\n'],
    ] as const) {
      const run = client.run(code, 'c', { files: [{ name: 'x.h', content }], stdin, args: [stdin] });
      await run.exit();
      expect(run.stdout).toBe(`${content.slice(-2, -1)} ${stdin}`);
    }
  });
  expect([by('compiled'), by('memory')]).toEqual([2, 1]);
});

describe('a program that does not compile', () => {
  test('says why, and is remembered', async () => {
    const client = await stack().connect();
    const code = fresh('return y;');
    const { by } = await since(worker(), async () => {
      for (let i = 0; i < 2; i++) {
        const run = client.run(code, 'c');
        expect(await run.exit()).toMatchObject({ reason: 'compile_error', code: 1, signal: null });
        expect(run.compileText).toMatch(/main\.c:3:\d+: error: .*y/);
        expect(run.events.some((frame) => frame.event === 'started')).toBe(false);
      }
    });
    expect([by('refused'), by('memory')]).toEqual([1, 1]);
  });

  test.each([
    ['a file without end', '#include "/dev/zero"\n'],
    ['macros', `#define A(x) x x x x x x x x x x\nconst char *text = A(A(A(A(A(A(A("0123456789")))))));\n`],
  ])(
    'for want of memory ends with memory_limit: %s',
    async (_what, bomb) => {
      const client = await stack().connect();
      const code = bomb + fresh('return 0;');
      const { by } = await since(worker(), async () => {
        // A limit is no verdict on the program: it is tried again.
        for (let i = 0; i < 2; i++)
          expect(await client.run(code, 'c').exit(30_000)).toMatchObject({ reason: 'memory_limit' });
      });
      expect([by('refused'), by('memory')]).toEqual([2, 0]);
    },
    90_000,
  );

  test('in its time ends with compile_error, and the text says so', async () => {
    const slow = await stack().addWorker({ WORKER_COMPILE_MS: '100' });
    try {
      const client = await stack().connect();
      // Either worker may take it: it is sent until the slow one has.
      const run = await until(
        async () => {
          const each = client.run(SLOW + fresh(SLOW_BODY), 'c');
          await each.exit(30_000);
          return each.compileText.includes('took longer than 100 ms') ? each : undefined;
        },
        { what: 'the worker with little time', timeoutMs: 60_000 },
      );
      expect(await run.exit()).toMatchObject({ reason: 'compile_error' });
    } finally {
      await slow.process.stop();
      stack().forget(slow);
    }
  }, 90_000);
});

test('stop ends a compile step that no other run waits for', async () => {
  const client = await stack().connect();
  const run = client.run(SLOW + fresh(SLOW_BODY), 'c');
  const compiling = async () => (await stack().running()).length > 0;
  await until(compiling, { what: 'the compile sandbox' });
  run.stop();
  expect(await run.exit()).toMatchObject({ reason: 'stopped' });
  await until(async () => !(await compiling()), { what: 'the end of the compile sandbox' });
});

describe('another worker', () => {
  test('gets it from Redis; a damaged entry is compiled again and counted', async () => {
    const client = await stack().connect();
    const code = fresh('puts("kept");');
    await client.run(code, 'c').exit();
    const { client: redis } = stack().redis;
    const keys = () => redis.keys(`{${stack().prefix}}:artifact:*`);
    await until(async () => (await keys()).length > 0, { what: 'the artifact in Redis' });
    const first = worker();
    const second = await stack().addWorker();
    await first.process.stop();
    stack().forget(first);
    const { by } = await since(second, async () => {
      const run = client.run(code, 'c');
      expect(await run.exit()).toMatchObject({ code: 0 });
      expect(run.stdout).toBe('kept\n');
    });
    expect([by('store'), by('compiled')]).toEqual([1, 0]);

    const other = fresh('puts("damaged");');
    const before = new Set(await keys());
    await client.run(other, 'c').exit();
    const added = await until(async () => (await keys()).filter((key) => !before.has(key))[0], { what: 'its entry' });
    await redis.setrange(added, 60, 'rubbish');
    const third = await stack().addWorker();
    await second.process.stop();
    stack().forget(second);
    const again = await since(third, async () => {
      const run = client.run(other, 'c');
      expect(await run.exit()).toMatchObject({ code: 0 });
      expect(run.stdout).toBe('damaged\n');
    });
    expect([again.by('store'), again.by('compiled')]).toEqual([0, 1]);
    const corrupt = (await scrape(third.metrics)).find(({ name }) => name === 'rungrid_worker_corrupt_artifacts_total');
    expect(corrupt?.value).toBe(1);
  }, 60_000);
});

test('a file that has the name of the compiled program is replaced by it, with a note', async () => {
  const client = await stack().connect();
  const run = client.run(fresh('puts("compiled");'), 'c', {
    files: [{ name: 'main', content: '#!/bin/sh\necho file\n' }],
  });
  await run.exit();
  expect(run.stdout).toBe('compiled\n');
  expect(run.compileText).toContain('note: the file main is replaced by the compiled program');
});
