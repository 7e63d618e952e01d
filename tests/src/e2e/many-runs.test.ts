// Several runs on one socket: names keep them apart.
import { expect, test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const ECHO =
  'while True:\n    try:\n        print("[" + input() + "]", flush=True)\n    except EOFError:\n        break';
const stack = useStack({ workerEnv: { WORKER_MAX_SANDBOXES: '12' } });

test('two named runs on one socket at once do not mix', async () => {
  const client = await stack().connect();
  const a = client.run(ECHO, 'python', { run: 'left' });
  const b = client.run(ECHO, 'python', { run: 'right' });
  for (let i = 0; i < 10; i++) {
    a.stdin(`a${i}\n`);
    b.stdin(`b${i}\n`);
  }
  await a.output('[a9]');
  await b.output('[b9]');
  a.stop();
  b.eof();
  expect(await a.exit()).toMatchObject({ run: 'left', reason: 'stopped' });
  expect(await b.exit()).toMatchObject({ run: 'right', reason: 'exited', code: 0 });
  expect(a.stdout).toBe(Array.from({ length: 10 }, (_, i) => `[a${i}]\n`).join(''));
  expect(b.stdout).toBe(Array.from({ length: 10 }, (_, i) => `[b${i}]\n`).join(''));
});

test('a named run lives beside the unnamed one', async () => {
  const client = await stack().connect();
  const unnamed = client.run(ECHO, 'python', { run: null });
  const named = client.run(ECHO, 'python', { run: 'named' });
  unnamed.stdin('u\n');
  named.stdin('n\n');
  await unnamed.output('[u]');
  await named.output('[n]');
  for (const run of [unnamed, named]) run.eof();
  for (const run of [unnamed, named]) await run.exit();
});

test('a second unnamed run is refused while the first lives, and taken after it', async () => {
  const client = await stack().connect();
  const first = client.run(ECHO, 'python', { run: null });
  client.send('run_code', { code: 'print(2)', language: 'python', token: stack().mint('') });
  expect(await client.event('error')).toMatchObject({ code: 'run_in_progress', retryable: true });
  first.stdin('still\n');
  await first.output('[still]');
  first.eof();
  await first.exit();
  const second = client.run('print(2)', 'python', { run: null });
  await second.exit();
  expect(second.stdout).toBe('2\n');
});

test('a second run of the same name is refused, naming it', async () => {
  const client = await stack().connect();
  const run = client.run(ECHO, 'python', { run: 'twin' });
  await run.started();
  client.send('run_code', { code: 'print(2)', language: 'python', token: stack().mint(''), run: 'twin' });
  expect(await client.event('error')).toMatchObject({ code: 'run_in_progress', run: 'twin' });
  run.eof();
  await run.exit();
});

test('a socket holds as many runs as hello says, and not one more', async () => {
  const client = await stack().connect();
  const { limits } = await client.hello();
  const runs = Array.from({ length: limits.runs_per_socket }, () => client.run(ECHO, 'python'));
  const extra = client.run(ECHO, 'python');
  expect(await extra.error()).toMatchObject({ code: 'too_many_runs', retryable: true });
  for (const run of runs) run.stop();
  for (const run of runs) expect(await run.exit(30_000)).toMatchObject({ reason: 'stopped' });
});

test('frames for a run that never was are answered with no_such_run', async () => {
  const client = await stack().connect();
  client.send('stdin', { text: 'x', run: 'unknown' });
  expect(await client.event('error')).toMatchObject({ code: 'no_such_run', run: 'unknown', retryable: false });
});

test('runs of two sockets of the same name do not meet', async () => {
  const [one, two] = [await stack().connect(), await stack().connect()];
  const a = one.run(ECHO, 'python', { run: 'same' });
  const b = two.run(ECHO, 'python', { run: 'same' });
  a.stdin('from one\n');
  b.stdin('from two\n');
  await a.output('[from one]\n');
  await b.output('[from two]\n');
  a.stop();
  await a.exit();
  b.stdin('alone\n');
  await b.output('[alone]\n');
  b.eof();
  await b.exit();
  expect(b.stdout).toBe('[from two]\n[alone]\n');
});

test('one sandbox serves one run: the next one finds nothing of it', async () => {
  const client = await stack().connect();
  for (let round = 0; round < 6; round++) {
    const run = client.run('import os\nprint(os.path.exists("/tmp/mark"))\nopen("/tmp/mark", "w").close()', 'python');
    await run.exit();
    expect(run.stdout).toBe('False\n');
  }
  await until(async () => (await stack().running()).length === 0, { what: 'used sandboxes to be removed' });
});
