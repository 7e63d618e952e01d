// How a run ends: exit codes, signals, stop, a compiler's refusal, and what is reported about it.
import { describe, expect, test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';

const stack = useStack({ languages: ['python', 'javascript', 'bash', 'c'] });

test.each([
  ['python', 'raise SystemExit(7)', 7],
  ['python', 'import os; os._exit(255)', 255],
  ['python', '1/0', 1],
  ['javascript', 'process.exitCode = 9', 9],
  ['javascript', 'throw new Error("no")', 1],
  ['bash', 'exit 42', 42],
  ['bash', 'no-such-command', 127],
  ['c', 'int main(void) { return 3; }', 3],
] as const)('in %s, %s exits with %i', async (language, code, expected) => {
  const client = await stack().connect();
  expect(await client.run(code, language).exit()).toMatchObject({ reason: 'exited', code: expected, signal: null });
});

test('a traceback names the user’s file and lines, and nothing of ours', async () => {
  const client = await stack().connect();
  const run = client.run('def f():\n    return 1/0\nf()', 'python');
  await run.exit();
  expect(run.stderr).toMatch(/line 3, in <module>[\s\S]*line 2, in f[\s\S]*ZeroDivisionError/);
  expect(run.stderr).not.toMatch(/warm|rungrid|exec\(/);
});

test.each([
  ['SIGSEGV', 'int main(void) { *(volatile int *)0 = 1; }'],
  ['SIGABRT', '#include <stdlib.h>\nint main(void) { abort(); }'],
  ['SIGFPE', '#include <signal.h>\nint main(void) { raise(SIGFPE); }'],
])('a program killed by %s is reported as signaled', async (signal, code) => {
  const client = await stack().connect();
  expect(await client.run(code, 'c').exit()).toMatchObject({ reason: 'signaled', signal, code: null });
});

test('SIGINT from the client is a KeyboardInterrupt', async () => {
  const client = await stack().connect();
  const run = client.run(
    'import time\ntry:\n    print("up", flush=True)\n    time.sleep(60)\nexcept KeyboardInterrupt:\n    print("interrupted")\n    raise SystemExit(5)',
    'python',
  );
  await run.output('up');
  run.signal('SIGINT');
  expect(await run.exit()).toMatchObject({ reason: 'exited', code: 5 });
  expect(run.stdout).toBe('up\ninterrupted\n');
});

test('a signal that the program does not handle ends it as signaled', async () => {
  const client = await stack().connect();
  const run = client.run('import time\nprint("up", flush=True)\ntime.sleep(60)', 'python');
  await run.output('up');
  run.signal('SIGTERM');
  expect(await run.exit()).toMatchObject({ reason: 'signaled', signal: 'SIGTERM', code: null });
});

test('a signal reaches a handler in javascript and bash', async () => {
  const client = await stack().connect();
  const js = client.run(
    'process.on("SIGUSR2", () => { console.log("got it"); process.exit(4); });\nsetInterval(() => {}, 1000);\nconsole.log("up")',
    'javascript',
  );
  const sh = client.run('trap "echo got it; exit 4" USR2\necho up\nwhile :; do sleep 0.05; done', 'bash');
  for (const run of [js, sh]) {
    await run.output('up');
    run.signal('SIGUSR2');
    expect(await run.exit()).toMatchObject({ reason: 'exited', code: 4 });
    expect(run.stdout).toBe('up\ngot it\n');
  }
});

describe('stop', () => {
  test('ends a program that ignores every signal', async () => {
    const client = await stack().connect();
    const run = client.run(
      'import signal, time\nfor s in (1, 2, 3, 15):\n    signal.signal(s, signal.SIG_IGN)\nprint("up", flush=True)\ntime.sleep(60)',
      'python',
    );
    await run.output('up');
    run.stop();
    expect(await run.exit()).toMatchObject({ reason: 'stopped' });
  });

  test('takes the program’s children along', async () => {
    const client = await stack().connect();
    const run = client.run('import os, time\nos.fork()\nos.fork()\nprint("up", flush=True)\ntime.sleep(60)', 'python');
    await run.output('up');
    run.stop();
    expect(await run.exit()).toMatchObject({ reason: 'stopped' });
  });

  test('right behind run_code ends the run before or after its start, with one terminal event', async () => {
    const client = await stack().connect();
    const runs = Array.from({ length: 4 }, () => {
      const run = client.run('import time\ntime.sleep(60)', 'python');
      run.stop();
      return run;
    });
    for (const run of runs) expect(await run.exit()).toMatchObject({ reason: 'stopped' });
  });

  test('of a run that has ended is ignored', async () => {
    const client = await stack().connect();
    const run = client.run('print(1)', 'python');
    await run.exit();
    run.stop();
    client.send('ping', 1);
    await client.event('pong');
    run.check();
  });
});

test('a compile error comes as compile events, then exit with reason compile_error', async () => {
  const client = await stack().connect();
  const run = client.run('int main(void) { return x; }', 'c');
  expect(await run.exit()).toMatchObject({ reason: 'compile_error' });
  expect(run.compileText).toMatch(/main\.c:1:\d+: error/);
  expect(run.events.some((frame) => frame.event === 'started')).toBe(false);
});

test('a compiler’s warning comes before started, and the program runs', async () => {
  const client = await stack().connect();
  const run = client.run('#warning look here\n#include <stdio.h>\nint main(void) { puts("ran"); }', 'c');
  expect(await run.exit()).toMatchObject({ reason: 'exited', code: 0 });
  expect(run.compileText).toContain('look here');
  const names = run.events.map((frame) => frame.event);
  expect(names.indexOf('compile')).toBeLessThan(names.indexOf('started'));
  expect(run.stdout).toBe('ran\n');
});

test('exit reports time, CPU, memory and output', async () => {
  const client = await stack().connect();
  const run = client.run(
    'import time\nkeep = bytearray(40 << 20)\nt = time.process_time()\nwhile time.process_time() - t < 0.1: pass\nprint("x" * 999)',
    'python',
  );
  const { usage } = await run.exit();
  expect(usage.output_bytes).toBe(1000);
  expect(usage.cpu_ms).toBeGreaterThanOrEqual(90);
  expect(usage.wall_ms).toBeGreaterThanOrEqual(usage.cpu_ms * 0.9);
  expect(usage.memory_bytes).toBeGreaterThan(40 << 20);
  expect(usage.memory_bytes).toBeLessThanOrEqual(128 << 20);
});

test('the parent’s end ends the run at once, whatever its children hold open', async () => {
  const client = await stack().connect();
  const run = client.run('import os, time\nif os.fork() == 0:\n    time.sleep(60)\nprint("parent done")', 'python');
  expect(await run.exit()).toMatchObject({ reason: 'exited', code: 0 });
  expect(run.stdout).toBe('parent done\n');
});

test('output written just before the end comes before the exit event, whole', async () => {
  const client = await stack().connect();
  for (let round = 0; round < 5; round++) {
    const run = client.run(
      'import os, sys\nsys.stderr.write("e" * 5000)\nsys.stdout.write("o" * 200000)\nsys.stdout.flush()\nos._exit(0)',
      'python',
    );
    await run.exit();
    expect([run.stdout.length, run.stderr.length]).toEqual([200_000, 5_000]);
  }
});
