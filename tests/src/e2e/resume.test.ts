// Clients that reconnect, to the same gateway or another: nothing is lost or doubled, and no client gets another's run.
import { expect, test } from 'vitest';
import type { Client } from '../testkit/client.js';
import type { RunHandle } from '../testkit/run-handle.js';
import { useStack } from '../testkit/use-stack.js';
import { quietFor, until } from '@rungrid/testkit/until';

const stack = useStack({ afterEach: 'clean', gateways: 2, workerEnv: { WORKER_RESUME_MS: '4000' } });
const ECHO =
  'import sys\nprint("up", flush=True)\nfor line in sys.stdin:\n    print(f"<{line.strip()}>", flush=True)\nprint("bye")\n';
const COUNT = 'import time\nfor i in range(60):\n    print(i, flush=True)\n    time.sleep(0.02)\n';
const NUMBERS = Array.from({ length: 60 }, (_, i) => `${i}\n`).join('');

const on = (index: number) => {
  const gateway = stack().gateways[index];
  if (gateway === undefined) throw new Error(`there is no gateway ${index}`);
  return stack().connect({ gateway });
};
/** A sandbox is named after its run a little after the start. */
const named = () => until(async () => (await stack().running()).length === 1, { what: 'its sandbox to have its name' });
const back = (client: Client, run: RunHandle, key = run.resumeKey) => client.resume({ key, after: run.seq });

test('a kept program goes on without its client, on another gateway too, and every byte comes once', async () => {
  const first = await on(0);
  const run = first.run(COUNT, 'python', { on_disconnect: 'keep' });
  await run.output('5\n');
  first.vanish();
  await first.closed;
  await quietFor(200);
  const second = await on(1);
  const again = back(second, run);
  const exit = await again.exit();
  expect(exit).toMatchObject({ reason: 'exited', code: 0 });
  expect(run.stdout + again.stdout).toBe(NUMBERS);
});

test('stdin goes on, and resumed says how much of it has arrived', async () => {
  const first = await on(0);
  const run = first.run(ECHO, 'python', { on_disconnect: 'keep' });
  await run.output('up');
  run.stdin('a é\n');
  await run.output('<a é>');
  first.vanish();
  const second = await on(1);
  const again = back(second, run);
  again.stdin('b\n');
  again.eof();
  await again.exit();
  expect(again.stdout).toBe('<b>\nbye\n');
  expect(again.events[0]).toMatchObject({ event: 'resumed', data: { replayed_from: run.seq + 1, stdin_bytes: 5 } });
});

test('an end that was not received is kept; one that was received is sent again on a resume from before it', async () => {
  const first = await on(0);
  const run = first.run('import time\ntime.sleep(0.3)\nprint("done")', 'python', { on_disconnect: 'keep' });
  await run.started();
  first.vanish();
  await quietFor(600);
  const second = await on(1);
  const again = back(second, run);
  expect(await again.exit()).toMatchObject({ reason: 'exited' });
  expect(again.stdout).toBe('done\n');
  const third = await on(0);
  const repeated = back(third, run);
  await repeated.exit();
  expect(repeated.stdout).toBe('done\n');
  const late = third.resume({ key: run.resumeKey, after: again.seq });
  expect(await late.error()).toMatchObject({ code: 'resume_failed' });
});

test('a second client takes the run over; the first gets an error, and nothing after it', async () => {
  const first = await on(0);
  const run = first.run(ECHO, 'python', { on_disconnect: 'keep' });
  await run.output('up\n');
  const second = await on(1);
  const again = back(second, run);
  expect(await run.error()).toMatchObject({ code: 'taken_over' });
  again.eof();
  await again.exit();
  expect(again.stdout).toBe('bye\n');
});

test('without keep, a run is killed before any window passes, and cannot be resumed', async () => {
  const first = await on(0);
  const run = first.run(ECHO, 'python');
  await run.output('up');
  await named();
  first.vanish();
  await until(async () => (await stack().running()).length === 0, {
    what: 'its sandbox to be removed',
    timeoutMs: 3_500,
  });
  const second = await on(0);
  expect(await back(second, run).error()).toMatchObject({ code: 'resume_failed', retryable: false });
});

test('past the resume window the program is ended, and cannot be resumed', async () => {
  const first = await on(0);
  const run = first.run(ECHO, 'python', { on_disconnect: 'keep' });
  await run.output('up');
  await named();
  first.vanish();
  await until(async () => (await stack().running()).length === 0, { what: 'its sandbox to be removed' });
  const second = await on(1);
  expect(await back(second, run).error()).toMatchObject({ code: 'resume_failed' });
});

test('a key of another run, or a guessed one, opens nothing and ends nothing', async () => {
  const first = await on(0);
  const [run, other] = [first.run(ECHO, 'python'), first.run(ECHO, 'python')];
  await Promise.all([run.output('up'), other.output('up')]);
  const [id, own, epoch] = run.resumeKey.split('.');
  const [, secret] = other.resumeKey.split('.');
  const thief = await on(1);
  for (const key of [
    `${id}.${secret}.${epoch}`,
    `${id}.${'A'.repeat(22)}.${epoch}`,
    `${id}.${own}.1`,
    `unknown0.${own}.${epoch}`,
  ])
    expect(await back(thief, run, key).error(), key).toMatchObject({ code: 'resume_failed' });
  for (const handle of [run, other]) {
    handle.eof();
    expect(await handle.exit()).toMatchObject({ reason: 'exited' });
  }
});

test('a gap is reported, and can be skipped', async () => {
  const first = await on(0);
  const code =
    'import sys\nfor i in range(40):\n    print(str(i) * 8000, flush=True)\nprint("up")\nsys.stdin.read()\nprint("bye")';
  const run = first.run(code, 'python', { on_disconnect: 'keep' });
  await run.output('up');
  first.vanish();
  const second = await on(1);
  const key = run.resumeKey;
  const { code: refusal, replay_from: from } = await second.resume({ key, after: 1 }).error();
  expect(refusal).toBe('resume_gap');
  expect(from).toBeGreaterThan(2);
  const again = second.resume({ key, after: (from ?? 0) - 1 });
  again.eof();
  await again.exit();
  expect(run.stdout.endsWith(again.stdout.replace('bye\n', ''))).toBe(true);
});

test('when a gateway is killed in mid-output, its client resumes at the other', async () => {
  const gateway = await stack().addGateway();
  const first = await stack().connect({ gateway });
  const run = first.run(COUNT, 'python', { on_disconnect: 'keep' });
  await run.output('9\n');
  stack().forget(gateway);
  gateway.process.signal('SIGKILL');
  await first.closed;
  const second = await on(0);
  const again = back(second, run);
  await again.exit();
  expect(run.stdout + again.stdout).toBe(NUMBERS);
});
