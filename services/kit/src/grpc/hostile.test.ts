// What a hostile peer of the server does costs its own connection only: a co-tenant is served meanwhile and afterwards.
import { Buffer } from 'node:buffer';
import { type ClientHttp2Session, connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import type { Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { STATUS } from './status.js';
import { type Caller, ECHO, type EchoServer, openChannel, openRaw, startCall, startEcho, until } from './testkit.js';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const SETTINGS = frameOf({ type: 4 });
const closers: (() => unknown)[] = [];
let server: EchoServer;
let coTenant: Caller;

beforeEach(async () => {
  server = await startEcho({ keepAlive: { intervalMs: 200, timeoutMs: 200 } });
  const channel = openChannel(server.address);
  closers.push(
    () => server.close(),
    () => channel.close(),
  );
  coTenant = startCall(channel);
  await serves();
});
afterEach(async () => {
  await serves();
  expect(coTenant.ends).toEqual([]);
  for (const close of closers.splice(0).toReversed()) await close();
});

async function serves(): Promise<void> {
  const before = coTenant.heard.length;
  coTenant.call.write('are you there?');
  await until('the co-tenant', () => coTenant.heard.length > before);
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
  await until('the end of it', () => socket.destroyed);
  expect(server.served.length).toBe(1);
});

test('a peer that connects and says nothing is ended; so is one that says hello and no more', async () => {
  const sockets = [await raw(), await raw()];
  sockets[1]?.write(Buffer.concat([PREFACE, SETTINGS]));
  await until('the end of both', () => sockets.every((socket) => socket.destroyed));
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
  ':path': ECHO.path,
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
  { name: 'GET', headers: { ':method': 'GET' }, answer: { ':status': 405 } },
  { name: 'JSON', headers: { 'content-type': 'application/json' }, answer: { ':status': 415 } },
  {
    name: 'gRPC of another encoding',
    headers: { 'content-type': 'application/grpc+json' },
    answer: { ':status': 415 },
  },
  { name: 'another path', headers: { ':path': '/x' }, answer: { 'grpc-status': String(STATUS.UNIMPLEMENTED) } },
  { name: 'no te', headers: { te: undefined }, answer: { 'grpc-status': String(STATUS.INTERNAL) } },
  {
    name: 'compression',
    headers: { 'grpc-encoding': 'gzip' },
    answer: { 'grpc-status': String(STATUS.UNIMPLEMENTED) },
  },
])('$name is answered and not served', async ({ headers, answer }) => {
  expect(await ask(session(), headers)).toMatchObject(answer);
  expect(server.served.length).toBe(1);
});

test('a caller that goes on being refused is ended', async () => {
  const made = session();
  for (let i = 0; i < 200 && !made.destroyed; i++) await ask(made, { ':path': '/x' }).catch(() => undefined);
  await until('the end of it', () => made.destroyed);
});

test('headers that are too large, or too many, are not served', async () => {
  for (const headers of [
    { 'x-large': 'a'.repeat(100_000) },
    Object.fromEntries(Array.from({ length: 100 }, (_, index) => [`x-${index}`, 'a'])),
  ]) {
    const made = session();
    // The bounds hold from the acknowledgement of the settings on.
    await new Promise((resolve) => made.once('remoteSettings', resolve));
    await new Promise((resolve) => made.ping(resolve));
    expect(await ask(made, headers)).toBeUndefined();
    expect(server.served.length).toBe(1);
  }
});

test('streams past the bound are refused', async () => {
  const made = session();
  await new Promise((resolve) => made.once('remoteSettings', resolve));
  const streams = Array.from({ length: 3000 }, () => made.request(HEADERS, { endStream: false }));
  for (const stream of streams) stream.on('error', () => undefined);
  await until('as many as may be', () => server.served.length === 101);
  await serves();
  expect(server.served.length).toBe(101);
});

test('a message of 4 GB is refused by its length', async () => {
  const stream = session().request(HEADERS, { endStream: false });
  let trailers: IncomingHttpHeaders = {};
  stream.on('trailers', (given) => {
    trailers = given;
  });
  stream.on('error', () => undefined);
  stream.resume();
  stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff, 1, 2, 3]));
  await until('the end', () => trailers['grpc-status'] !== undefined);
  expect(trailers['grpc-status']).toBe(String(STATUS.RESOURCE_EXHAUSTED));
});

test('DATA past the window ends its stream', async () => {
  const socket = await raw();
  // :method POST and :scheme http of the static table; the rest as literals that are not indexed.
  const literal = (name: string, value: string) =>
    Buffer.from([0, name.length, ...Buffer.from(name), value.length, ...Buffer.from(value)]);
  const block = Buffer.concat([
    Buffer.from([0x83, 0x86]),
    literal(':path', ECHO.path),
    literal(':authority', 'a'),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ]);
  socket.write(Buffer.concat([PREFACE, SETTINGS, frameOf({ type: 1, flags: 4, stream: 1, body: block })]));
  await until('the call', () => server.served.length === 2);
  server.served[1]?.call.pause();
  const data = frameOf({ type: 0, stream: 1, body: Buffer.alloc(16_384) });
  for (let i = 0; i < 10; i++) socket.write(data);
  await until('the end of it', () => server.served[1]?.gone === 1);
});

test('opening and resetting without end leaves no call', async () => {
  const made = session();
  await new Promise((resolve) => made.once('remoteSettings', resolve));
  for (let i = 0; i < 5000 && !made.destroyed; i++) {
    if (made.destroyed || made.closed) break;
    const stream = made.request(HEADERS, { endStream: false });
    stream.on('error', () => undefined);
    stream.close(8);
    if (i % 100 === 0) await serves();
  }
  await until('no call of it', () => server.served.slice(1).every((one) => one.gone === 1 || one.halfClosed));
});
