// Limits and how runs end at them, four at a time, while a co-tenant's session keeps echoing. How soon: security/ends.exclusive.
import { Buffer } from 'node:buffer';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CoTenant } from '../testkit/co-tenant.js';
import { useStack } from '../testkit/use-stack.js';

const OUTPUT_CAP = 262_144;
const stack = useStack({
  afterEach: 'nothing',
  languages: ['python', 'javascript', 'c'],
  workerEnv: { WORKER_OUTPUT_BYTES: String(OUTPUT_CAP), WORKER_CPU_MS: '1000' },
});

interface Case {
  readonly rule: string;
  readonly language: string;
  readonly code: string;
  readonly reason: string;
  readonly limits?: { readonly wall_ms?: number; readonly cpu_ms?: number; readonly output_bytes?: number };
}
const CASES: readonly Case[] = [
  {
    rule: 'an infinite loop in javascript ends by cpu_limit',
    language: 'javascript',
    code: 'for (;;) {}',
    reason: 'cpu_limit',
  },
  {
    rule: 'burners in many processes share one CPU limit',
    language: 'python',
    code: 'import os\nfor _ in range(8):\n    if os.fork() == 0: break\nwhile True: pass',
    reason: 'cpu_limit',
  },
  {
    rule: 'a memory bomb ends by memory_limit',
    language: 'python',
    code: 'keep = []\nwhile True: keep.append(bytearray(4 << 20))',
    reason: 'memory_limit',
  },
  {
    rule: 'a memory bomb in a child ends the run by memory_limit',
    language: 'python',
    code: 'import os, time\nif os.fork() == 0:\n    keep = []\n    while True: keep.append(bytearray(4 << 20))\nos.wait()\ntime.sleep(30)',
    reason: 'memory_limit',
  },
  {
    rule: 'a memory bomb in a thread ends by memory_limit',
    language: 'python',
    code: 'import threading\ndef f():\n    keep = []\n    while True: keep.append(bytearray(4 << 20))\nthreading.Thread(target=f).start()',
    reason: 'memory_limit',
  },
  {
    rule: 'a lower wall limit ends a sleeper by wall_limit',
    language: 'python',
    code: 'import time\ntime.sleep(60)',
    reason: 'wall_limit',
    limits: { wall_ms: 700 },
  },
  {
    rule: 'a lower CPU limit ends a loop sooner',
    language: 'python',
    code: 'while True: pass',
    reason: 'cpu_limit',
    limits: { cpu_ms: 200 },
  },
];

describe('a co-tenant outlives that', () => {
  let coTenant: CoTenant;
  beforeAll(async () => {
    coTenant = await CoTenant.start(stack(), { paceMs: 100 });
  });
  afterAll(() => coTenant.close());

  test.concurrent.each(CASES)('$rule', async ({ code, language, reason, limits }) => {
    const client = await stack().connect();
    const run = client.run(code, language, limits === undefined ? {} : { limits });
    const exit = await run.exit(40_000);
    expect(exit, run.describe()).toMatchObject({ reason, code: null });
    await coTenant.alive();
  });

  test.concurrent.each([
    ['python', "while True: print('x')"],
    ['python', 'import os\nwhile True: os.write(2, b"y" * 100000)'],
    [
      'c',
      '#include <unistd.h>\nint main(void) { static char b[65536]; for (int i = 0; i < 65536; i++) b[i] = 65; for (;;) if (write(1, b, sizeof b) < 0) return 1; }',
    ],
    [
      'javascript',
      'const fs = require("fs"); const b = Buffer.alloc(65536, 65); for (;;) { try { fs.writeSync(1, b); } catch {} }',
    ],
  ])('an output flood in %s ends by output_limit with exactly the cap delivered: %s', async (language, code) => {
    const client = await stack().connect();
    const run = client.run(code, language);
    const exit = await run.exit(40_000);
    expect(exit).toMatchObject({ reason: 'output_limit', truncated: true });
    expect(Buffer.byteLength(run.stdout) + Buffer.byteLength(run.stderr)).toBe(OUTPUT_CAP);
    expect(exit.usage.output_bytes).toBe(OUTPUT_CAP);
    await coTenant.alive();
  });
});

test.concurrent('a client may lower the output limit, and gets exactly that much', async () => {
  const client = await stack().connect();
  const run = client.run("while True: print('x')", 'python', { limits: { output_bytes: 1000 } });
  expect(await run.exit()).toMatchObject({ reason: 'output_limit', truncated: true });
  expect(run.stdout).toBe('x\n'.repeat(500));
});

test.concurrent('a client may not raise a limit', async () => {
  const client = await stack().connect();
  const run = client.run("while True: print('x')", 'python', {
    limits: { output_bytes: OUTPUT_CAP * 8, cpu_ms: 60_000 },
  });
  expect(await run.exit(40_000)).toMatchObject({ reason: 'output_limit' });
  expect(run.stdout.length).toBe(OUTPUT_CAP);
});

test.concurrent('output of exactly the cap is not cut', async () => {
  const client = await stack().connect();
  const run = client.run(`import sys\nsys.stdout.write("x" * ${OUTPUT_CAP})`, 'python');
  expect(await run.exit()).toMatchObject({ reason: 'exited', code: 0, truncated: false });
  expect(run.stdout.length).toBe(OUTPUT_CAP);
});

test.concurrent('code points are not cut at the cap', async () => {
  const client = await stack().connect();
  const run = client.run('import sys\nwhile True: sys.stdout.write("\u{1F600}")', 'python', {
    limits: { output_bytes: 1001 },
  });
  expect(await run.exit()).toMatchObject({ reason: 'output_limit', truncated: true });
  expect(run.stdout.replaceAll('\u{1F600}', '')).toMatch(/^�?$/);
});
