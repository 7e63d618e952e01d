// What a hostile or careless client costs the services in memory and time, while a co-tenant's session goes on.
import { Buffer } from 'node:buffer';
import { constants, deflateRawSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { CoTenant } from '../testkit/co-tenant.js';
import { encodeFrame, OP, RawSocket } from '../testkit/raw-socket.js';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const MIB = 1 << 20;
const stack = useStack({
  afterEach: 'clean',
  gatewayEnv: { GATEWAY_FRAMES_PER_SECOND: '2000' },
  // Far more output than the kernel's buffers between gateway and client take, so that a flood meets the reader's pace.
  workerEnv: { WORKER_OUTPUT_BYTES: String(64 * MIB) },
});
const frame = (event: string, data: unknown) => JSON.stringify({ event, data });
const runCode = (code: string, run?: string) =>
  frame('run_code', { code, language: 'python', token: stack().mint(''), ...(run === undefined ? {} : { run }) });
const open = (headers?: Readonly<Record<string, string>>) => RawSocket.open(stack().gateway.url, headers);
const gatewayRss = () => stack().gateway.process.rssBytes();

test('stdin pushed at a program that never reads is bounded, and costs little memory', async () => {
  const coTenant = await CoTenant.start(stack());
  const rss = () => gatewayRss() + stack().worker.process.rssBytes();
  const before = rss();
  const raw = await open();
  raw.send(runCode('print("r", flush=True)\nimport time\ntime.sleep(20)'));
  await until(() => raw.texts.some((text) => text.includes('"stdout"')), { what: 'the program to run' });
  const chunk = encodeFrame(frame('stdin', { text: 'A'.repeat(60_000) }));
  const over = performance.now() + 3_000;
  while (performance.now() < over && !raw.over) if (!raw.write(chunk)) await raw.drained(200);
  await until(() => raw.over || raw.texts.some((text) => text.includes('stdin_full')), { what: 'a refusal' });
  expect((rss() - before) / MIB).toBeLessThan(64);
  await coTenant.alive();
  await coTenant.close();
});

test('a flood of WebSocket pings from a client that does not read costs nothing but that socket', async () => {
  const coTenant = await CoTenant.start(stack());
  const before = gatewayRss();
  const raw = await open();
  raw.socket.pause();
  const block = Buffer.concat(Array.from({ length: 500 }, () => encodeFrame('p'.repeat(125), { op: OP.ping })));
  const over = performance.now() + 3_000;
  while (performance.now() < over && !raw.ended) if (!raw.write(block)) await raw.drained(200);
  expect((gatewayRss() - before) / MIB).toBeLessThan(32);
  await coTenant.alive();
  await coTenant.close();
});

test('a compressed bomb ends its socket, uninflated', async () => {
  const before = gatewayRss();
  const raw = await open({ 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' });
  const bomb = deflateRawSync(Buffer.alloc(64 * MIB, 97), { finishFlush: constants.Z_SYNC_FLUSH });
  raw.write(encodeFrame(bomb, { rsv: 4 }));
  await until(() => raw.over, { what: 'the end of the socket' });
  expect((gatewayRss() - before) / MIB).toBeLessThan(32);
});

test('a client that stops reading costs the gateway a bounded amount, and others nothing', async () => {
  const coTenant = await CoTenant.start(stack());
  const before = gatewayRss();
  const slow = await Promise.all(Array.from({ length: 4 }, () => open()));
  for (const raw of slow) {
    raw.socket.pause();
    for (const run of ['a', 'b']) raw.send(runCode('while True: print("x" * 1000)', run));
  }
  await until(async () => (await stack().running()).length > 4, { what: 'the floods to run' });
  let peak = 0;
  const over = performance.now() + 4_000;
  await until(
    () => {
      peak = Math.max(peak, gatewayRss());
      return performance.now() > over;
    },
    { what: 'the floods to meet the bound', everyMs: 100 },
  );
  await coTenant.alive();
  expect((peak - before) / MIB).toBeLessThan(64);
  for (const raw of slow) {
    raw.socket.resume();
    for (const run of ['a', 'b']) raw.send(frame('stop', { run }));
    const exits = () => raw.texts.filter((text) => text.startsWith('{"event":"exit"')).length;
    await until(() => raw.over || exits() === 2, { what: 'the end of a slow client' });
    expect([undefined, 4008]).toContain(raw.closeCode);
    raw.destroy();
  }
  await coTenant.close();
});

test.each([
  ['closes its socket', (raw: RawSocket) => raw.socket.end()],
  ['resets its connection', (raw: RawSocket) => raw.vanish()],
] as const)('the containers of a client that %s are removed within 2 s', async (_how, leave) => {
  const raw = await open();
  for (const run of ['a', 'b']) raw.send(runCode('print("up", flush=True)\nimport time\ntime.sleep(60)', run));
  await until(() => raw.texts.join('').split('"up').length === 3, { what: 'both programs to run' });
  // Their names change at checkout, in the background.
  await until(async () => (await stack().running()).length === 2, { what: 'both containers to be named' });
  const ids = new Set((await stack().running()).map((sandbox) => sandbox.id));
  leave(raw);
  await until(async () => (await stack().sandboxes()).every((sandbox) => !ids.has(sandbox.id)), {
    what: 'their containers to be removed',
    timeoutMs: 2_000,
  });
});
