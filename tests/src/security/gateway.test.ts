// Hostile clients of the gateway: odd orders, many sockets, a worker lost. Malformed frames: e2e/violations; what they cost: costs.exclusive.
import { Buffer } from 'node:buffer';
import { expect, test } from 'vitest';
import { removeSandboxes } from '../testkit/docker.js';
import { encodeFrame, RawSocket } from '../testkit/raw-socket.js';
import { useStack } from '../testkit/use-stack.js';
import { quietFor, until } from '@rungrid/testkit/until';

const stack = useStack();
const frame = (event: string, data: unknown) => JSON.stringify({ event, data });
const runCode = (code: string) => frame('run_code', { code, language: 'python', token: stack().mint('') });
const terminals = (raw: RawSocket) => raw.texts.filter((text) => text.startsWith('{"event":"exit"')).length;

test('frames in an odd order get their answers: stdin first, two runs in one segment, stdin right behind, stdin after the end', async () => {
  const first = await RawSocket.open(stack().gateway.url);
  first.send(frame('stdin', { text: 'x\n' }));
  await until(() => first.texts.some((text) => text.includes('no_such_run')), { what: 'no_such_run' });

  const double = await RawSocket.open(stack().gateway.url);
  double.write(
    Buffer.concat([
      encodeFrame(runCode('print("A")\nimport time\ntime.sleep(0.5)')),
      encodeFrame(runCode('print("BB")')),
    ]),
  );
  await until(() => terminals(double) > 0, { what: 'the end' });
  expect(double.texts.filter((text) => text.includes('run_in_progress')).length).toBe(1);
  expect(double.texts.join('')).not.toContain('BB');

  const early = await RawSocket.open(stack().gateway.url);
  early.write(
    Buffer.concat([encodeFrame(runCode('print("got " + input())')), encodeFrame(frame('stdin', { text: 'early\n' }))]),
  );
  await until(() => terminals(early) === 1, { what: 'the end' });
  expect(early.events.map((event) => (event.event === 'stdout' ? event.data.text : '')).join('')).toBe('got early\n');
  early.send(frame('stdin', { text: 'late\n' }));
  await quietFor(300);
  expect(terminals(early)).toBe(1);
});

test('two hundred sockets opened and reset at once leave nothing', async () => {
  const sockets = await Promise.all(Array.from({ length: 200 }, () => RawSocket.open(stack().gateway.url)));
  for (const raw of sockets) raw.send(frame('ping', {}));
  for (const raw of sockets) raw.vanish();
  const client = await stack().connect();
  client.send('ping', 1);
  await client.event('pong');
});

test('runs held open through the loss of a worker: each socket gets exactly one end, and its lines in order without a gap', async () => {
  const second = await stack().addWorker();
  const lines = 25;
  const code = `import time\nfor i in range(${lines}):\n    print("n%03d" % i, flush=True)\n    time.sleep(0.1)`;
  const clients = await Promise.all(Array.from({ length: 6 }, () => stack().connect()));
  const runs = clients.map((client) => client.run(code, 'python'));
  await Promise.all(runs.map((run) => run.output('n005')));
  stack().forget(second);
  second.process.signal('SIGKILL');
  const ends = await Promise.all(runs.map((run) => run.end()));
  for (const [index, run] of runs.entries()) {
    const seen = run.stdout.trim().split('\n');
    expect(seen).toEqual(seen.map((_, line) => `n${String(line).padStart(3, '0')}`));
    const end = ends[index];
    if (end?.event === 'exit') expect([end.data.code, seen.length]).toEqual([0, lines]);
    else expect(end?.data).toMatchObject({ code: 'worker_lost', retryable: true });
  }
  const next = clients.map((client) => client.run('print(1)', 'python'));
  for (const run of next) expect(await run.exit()).toMatchObject({ code: 0 });
  await removeSandboxes([second.id]);
});
