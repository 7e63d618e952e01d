// Hostile clients of the gateway: floods, odd orders, abuse programs. Malformed frames and pings: e2e/violations; leaving without a word: e2e/leaving.
import { Buffer } from 'node:buffer';
import { constants, deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { removeSandboxes } from '../testkit/docker.js';
import { CoTenant } from '../testkit/co-tenant.js';
import { encodeFrame, RawSocket } from '../testkit/raw-socket.js';
import { useStack } from '../testkit/use-stack.js';
import { quietFor, until } from '@rungrid/testkit/until';

const MIB = 1 << 20;
const stack = useStack({ gatewayEnv: { GATEWAY_FRAMES_PER_SECOND: '2000' } });
const frame = (event: string, data: unknown) => JSON.stringify({ event, data });
const runCode = (code: string) => frame('run_code', { code, language: 'python', token: stack().mint('') });
const terminals = (raw: RawSocket) => raw.texts.filter((text) => text.startsWith('{"event":"exit"')).length;

test('stdin pushed at a program that never reads is bounded, and costs little memory', async () => {
  const coTenant = await CoTenant.start(stack());
  const before = stack().gateway.process.rssBytes() + stack().worker.process.rssBytes();
  const raw = await RawSocket.open(stack().gateway.url);
  raw.send(runCode('print("r", flush=True)\nimport time\ntime.sleep(20)'));
  await until(() => raw.texts.some((text) => text.includes('"stdout"')), { what: 'the program to run' });
  const chunk = encodeFrame(frame('stdin', { text: 'A'.repeat(60_000) }));
  const over = performance.now() + 3_000;
  while (performance.now() < over && !raw.over) if (!raw.write(chunk)) await raw.drained(200);
  await until(() => raw.over || raw.texts.some((text) => text.includes('stdin_full')), { what: 'a refusal' });
  const growth = stack().gateway.process.rssBytes() + stack().worker.process.rssBytes() - before;
  expect(growth / MIB).toBeLessThan(64);
  await coTenant.alive();
  await coTenant.close();
});

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

test('a compressed bomb ends its socket, uninflated', async () => {
  const before = stack().gateway.process.rssBytes();
  const raw = await RawSocket.open(stack().gateway.url, {
    'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
  });
  const bomb = deflateRawSync(Buffer.alloc(64 * MIB, 97), { finishFlush: constants.Z_SYNC_FLUSH });
  raw.write(encodeFrame(bomb, { rsv: 4 }));
  await until(() => raw.over, { what: 'the end of the socket' });
  expect((stack().gateway.process.rssBytes() - before) / MIB).toBeLessThan(32);
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
