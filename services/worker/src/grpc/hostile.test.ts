// What a hostile peer of the server does costs its own connection only: a co-tenant is served meanwhile and afterwards.
import { Buffer } from 'node:buffer';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { status } from '@grpc/grpc-js';
import { RUN_METHOD } from '@rungrid/proto/method';
import { until } from '@rungrid/testkit/until';
import { type Caller, type EchoServer, openClient, openRaw, startCall, startEcho } from './testkit.js';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = frameOf({ type: 4 });
const closers: (() => unknown)[] = [];
let server: EchoServer;
let coTenant: Caller;

beforeEach(async () => {
  // A connection that has broken the protocol is ended by the ping that it does not answer.
  server = await startEcho({ keepAlive: { intervalMs: 200, timeoutMs: 1000 } });
  const client = openClient(server.address);
  closers.push(
    () => server.close(),
    () => client.close(),
  );
  coTenant = startCall(client);
  await serves();
});
afterEach(async () => {
  await serves();
  expect(coTenant.ends).toEqual([]);
  for (const close of closers.splice(0).toReversed()) await close();
});

async function serves(): Promise<void> {
  const before = coTenant.received.length;
  coTenant.say('are you there?');
  await until(() => coTenant.received.length > before, { what: 'the co-tenant' });
}

/** An HTTP/2 frame, with whatever length it claims. */
function frameOf(of: { type: number; flags?: number; stream?: number; body?: Buffer; length?: number }): Buffer {
  const { type, flags = 0, stream = 0, body = Buffer.alloc(0), length = body.length } = of;
  const head = Buffer.alloc(9);
  head.writeUIntBE(length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

async function raw(): Promise<Socket> {
  const socket = await openRaw(server.port);
  closers.push(() => socket.destroy());
  return socket;
}

test.each([
  { name: 'garbage', bytes: Buffer.from('\u0000\u0001 what is this \r\n\r\n'.repeat(20)) },
  { name: 'HTTP/1.1', bytes: Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n') },
  { name: 'a frame of 16 MB', bytes: Buffer.concat([PREFACE, SETTINGS, frameOf({ type: 0, length: 0xff_ff_ff })]) },
  {
    name: 'DATA on a stream that is not open',
    bytes: Buffer.concat([PREFACE, SETTINGS, frameOf({ type: 0, stream: 1, body: Buffer.from('a') })]),
  },
  {
    name: 'HEADERS that are no HPACK',
    bytes: Buffer.concat([PREFACE, SETTINGS, frameOf({ type: 1, flags: 5, stream: 1, body: Buffer.alloc(50, 0xff) })]),
  },
  { name: 'a flood of SETTINGS', bytes: Buffer.concat([PREFACE, ...Array.from({ length: 20_000 }, () => SETTINGS)]) },
  {
    name: 'a flood of PINGs',
    bytes: Buffer.concat([
      PREFACE,
      SETTINGS,
      ...Array.from({ length: 20_000 }, () => frameOf({ type: 6, body: Buffer.alloc(8) })),
    ]),
  },
  {
    name: 'SETTINGS with a thousand entries',
    bytes: Buffer.concat([PREFACE, frameOf({ type: 4, body: Buffer.alloc(6000, 9) })]),
  },
])('$name ends its connection', async ({ bytes }) => {
  const socket = await raw();
  // It reads nothing of what the server says to that, either.
  socket.pause();
  socket.write(bytes);
  await serves();
  socket.resume();
  await until(() => socket.destroyed, { what: 'the end of it' });
  expect(server.served.length).toBe(1);
});

test('a peer that connects and says nothing is ended; so is one that says hello and no more, or goes slow', async () => {
  const strict = await startEcho({ handshakeMs: 50, keepAlive: { intervalMs: 50, timeoutMs: 50 } });
  closers.push(() => strict.close());
  const sockets = await Promise.all([1, 2, 3].map(() => openRaw(strict.port)));
  sockets[1]?.write(Buffer.concat([PREFACE, SETTINGS]));
  sockets[2]?.write(PREFACE.subarray(0, 10));
  await until(() => sockets.every((socket) => socket.destroyed), { what: 'the end of all' });
});

function session(): ClientHttp2Session {
  const made = connect(`http://${server.address}`, {
    settings: { enablePush: false },
    maxSendHeaderBlockLength: 200_000,
  });
  made.on('error', () => undefined);
  closers.push(() => made.destroy());
  return made;
}

const HEADERS = {
  ':method': 'POST',
  ':path': RUN_METHOD.path,
  'content-type': 'application/grpc',
  te: 'trailers',
};

/** One request; its answer's headers, or undefined when it was reset. */
function ask(on: ClientHttp2Session, headers: OutgoingHttpHeaders): Promise<IncomingHttpHeaders | undefined> {
  return new Promise((resolve) => {
    const stream = on.request({ ...HEADERS, ...headers }, { endStream: false });
    stream.on('error', () => undefined);
    stream.on('response', (answer) => {
      resolve(answer);
      stream.end();
    });
    stream.on('close', () => resolve(undefined));
    stream.resume();
  });
}

test.each([
  { name: 'JSON', headers: { 'content-type': 'application/json' }, answer: { ':status': 415 } },
  { name: 'another path', headers: { ':path': '/x' }, answer: { 'grpc-status': String(status.UNIMPLEMENTED) } },
  {
    name: 'too much metadata',
    headers: { 'x-large': 'a'.repeat(50_000) },
    answer: { 'grpc-status': String(status.RESOURCE_EXHAUSTED) },
  },
])('$name is answered and not served', async ({ headers, answer }) => {
  expect(await ask(session(), headers)).toMatchObject(answer);
  expect(server.served.length).toBe(1);
});

test('headers that are too many are not served', async () => {
  const headers = Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`x-${index}`, 'a']));
  expect(await ask(session(), headers)).toBeUndefined();
  expect(server.served.length).toBe(1);
});

const prefixed = (flags: number, body: Buffer, length = body.length) => {
  const prefix = Buffer.from([flags, 0, 0, 0, 0]);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, body]);
};
test.each([
  {
    name: 'of 4 GB',
    encoding: 'identity',
    message: prefixed(0, Buffer.from([1]), 0xff_ff_ff_ff),
    code: status.RESOURCE_EXHAUSTED,
  },
  {
    name: 'that unpacks to 64 MB',
    encoding: 'gzip',
    message: prefixed(1, gzipSync(Buffer.alloc(1 << 26))),
    code: status.RESOURCE_EXHAUSTED,
  },
  { name: 'that is no gzip', encoding: 'gzip', message: prefixed(1, Buffer.alloc(99, 7)), code: status.INTERNAL },
  {
    name: 'packed in an unknown way',
    encoding: 'zip',
    message: prefixed(1, Buffer.alloc(99, 7)),
    code: status.UNIMPLEMENTED,
  },
  {
    name: 'that is no protobuf',
    encoding: 'identity',
    message: prefixed(0, Buffer.alloc(99, 0xff)),
    code: status.INTERNAL,
  },
])('a message $name ends its call', async ({ encoding, message, code }) => {
  const stream = session().request({ ...HEADERS, 'grpc-encoding': encoding }, { endStream: false });
  let trailers: IncomingHttpHeaders = {};
  stream.on('trailers', (given) => {
    trailers = given;
  });
  stream.on('error', () => undefined);
  stream.resume();
  stream.write(message);
  await until(() => trailers['grpc-status'] !== undefined, { what: 'the end' });
  expect(trailers['grpc-status']).toBe(String(code));
  expect(server.served[1]).toMatchObject({ received: 0, over: true });
});

test('DATA past the window ends its stream', async () => {
  const socket = await raw();
  // :method POST and :scheme http of the static table; the rest as literals that are not indexed.
  const literal = (name: string, value: string) =>
    Buffer.from([0, name.length, ...Buffer.from(name), value.length, ...Buffer.from(value)]);
  const block = Buffer.concat([
    Buffer.from([0x83, 0x86]),
    literal(':path', RUN_METHOD.path),
    literal(':authority', 'a'),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ]);
  socket.write(Buffer.concat([PREFACE, SETTINGS, frameOf({ type: 1, flags: 4, stream: 1, body: block })]));
  await until(() => server.served.length === 2, { what: 'the call' });
  server.served[1]?.call.pause();
  const data = frameOf({ type: 0, stream: 1, body: Buffer.alloc(16_384) });
  for (let i = 0; i < 10; i++) socket.write(data);
  await until(() => server.served[1]?.over === true, { what: 'the end of it' });
});

test('opening and resetting without end leaves no call', { timeout: 20_000 }, async () => {
  const made = session();
  await new Promise((resolve) => made.once('remoteSettings', resolve));
  for (let i = 0; i < 5000 && !made.destroyed; i++) {
    if (made.destroyed || made.closed) break;
    const stream = made.request(HEADERS, { endStream: false });
    stream.on('error', () => undefined);
    stream.close(8);
    if (i % 100 === 0) await serves();
  }
  await until(() => server.served.slice(1).every((one) => one.over), { what: 'no call of it' });
});
