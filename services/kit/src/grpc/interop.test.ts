// The transport against grpc-js, in both roles: what is on the wire is gRPC.
import { Buffer } from 'node:buffer';
import {
  Client,
  type ClientDuplexStream,
  compressionAlgorithms,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServiceError,
} from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import { STATUS } from './status.js';
import { ECHO, openChannel, startCall, startEcho, tryEcho, until } from './testkit.js';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const write = (message: string) => Buffer.from(message);
const read = (bytes: Buffer) => bytes.toString();

async function callOurs(options: { path?: string; secret?: string; compressed?: boolean } = {}) {
  const server = await startEcho({ security: { secrets: ['the-secret'], tls: undefined } });
  const client = new Client(server.address, credentials.createInsecure(), {
    'grpc.default_compression_algorithm':
      options.compressed === true ? compressionAlgorithms.gzip : compressionAlgorithms.identity,
  });
  closers.push(
    () => server.close(),
    () => client.close(),
  );
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${options.secret ?? 'the-secret'}`);
  const call: ClientDuplexStream<string, string> = client.makeBidiStreamRequest(
    options.path ?? ECHO.path,
    write,
    read,
    metadata,
  );
  const heard: string[] = [];
  const ends: number[] = [];
  const details: string[] = [];
  call.on('data', (message: string) => void heard.push(message));
  call.on('error', (error: ServiceError) => void details.push(error.details));
  call.on('status', ({ code }) => void ends.push(code));
  return { server, call, heard, ends, details };
}

test('grpc-js talks to our server', async () => {
  const { server, call, heard, ends } = await callOurs();
  const messages = ['', 'a', 'é'.repeat(9000), 'b'.repeat(99_999)];
  for (const message of messages) call.write(message);
  await until('the echoes', () => heard.length === messages.length);
  expect(heard).toEqual(messages);
  call.end();
  await until('the status', () => ends.length > 0);
  expect(ends).toEqual([STATUS.OK]);
  expect(server.served[0]).toMatchObject({ halfClosed: true, gone: 0 });
});

test('grpc-js reads our statuses while its own side is still open', async () => {
  const { call, heard, ends, details } = await callOurs();
  call.write('first');
  call.write('end 9');
  await until('the status', () => ends.length > 0);
  expect({ heard, ends, details }).toEqual({
    heard: ['first'],
    ends: [STATUS.FAILED_PRECONDITION],
    details: ['as asked for: é%\n'],
  });
});

test('our server finds a cancelled call of grpc-js gone', async () => {
  const { server, call, heard } = await callOurs();
  call.write('a');
  call.write('-stay');
  await until('the echo', () => heard.length === 1 && server.served[0]?.heard.length === 2);
  call.cancel();
  await until('the loss', () => server.served[0]?.gone === 1);
});

test.each([
  { name: 'another method', options: { path: '/test.Echo/Other' }, code: STATUS.UNIMPLEMENTED },
  { name: 'another secret', options: { secret: 'wrong' }, code: STATUS.UNAUTHENTICATED },
  { name: 'compression', options: { compressed: true }, code: STATUS.UNIMPLEMENTED },
])('grpc-js is refused: $name', async ({ options, code }) => {
  const { server, call, ends } = await callOurs(options);
  call.write('x'.repeat(5000));
  await until('the status', () => ends.length > 0);
  expect(ends).toEqual([code]);
  expect(server.served).toEqual([]);
});

type Serve = (call: ServerDuplexStream<string, string>) => void;

async function theirs(serve: Serve): Promise<string> {
  const server = new Server();
  const method = {
    path: ECHO.path,
    requestStream: true as const,
    responseStream: true as const,
    requestSerialize: write,
    requestDeserialize: read,
    responseSerialize: write,
    responseDeserialize: read,
  };
  server.addService({ echo: method }, { echo: serve });
  closers.push(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return `127.0.0.1:${port}`;
}

function callTheirs(address: string) {
  const channel = openChannel(address);
  closers.push(() => channel.close());
  return startCall(channel);
}

test('our client talks to grpc-js', async () => {
  const address = await theirs((call) => {
    call.on('data', (message: string) => call.write(message));
    call.on('end', () => call.end());
  });
  const caller = callTheirs(address);
  const messages = ['', 'a', 'é'.repeat(9000), 'b'.repeat(99_999)];
  for (const message of messages) caller.call.write(message);
  await until('the echoes', () => caller.heard.length === messages.length);
  expect(caller.heard).toEqual(messages);
  caller.call.end();
  await until('the end', () => caller.ends.length > 0);
  expect(caller.ends).toEqual([{ code: STATUS.OK, details: 'OK' }]);
});

test('our client reads statuses of grpc-js: with messages before, and alone', async () => {
  const address = await theirs((call) => {
    call.on('data', (message: string) => {
      if (message === 'first') call.write('answer');
      call.emit('error', { code: STATUS.NOT_FOUND, details: 'nö%' });
    });
  });
  for (const [message, heard] of [
    ['first', ['answer']],
    ['second', []],
  ] as const) {
    const caller = callTheirs(address);
    caller.call.write(message);
    await until('the end', () => caller.ends.length > 0);
    expect(caller).toMatchObject({ heard, ends: [{ code: STATUS.NOT_FOUND, details: 'nö%' }] });
  }
});

test('grpc-js finds our cancelled call cancelled', async () => {
  let cancelled = false;
  const address = await theirs((call) => {
    call.on('data', () => call.write('a'));
    call.on('cancelled', () => {
      cancelled = true;
    });
  });
  const caller = callTheirs(address);
  caller.call.write('hello');
  await until('the answer', () => caller.heard.length > 0);
  caller.call.cancel();
  await until('the cancel', () => cancelled);
});

test('a method that grpc-js does not have is UNIMPLEMENTED', async () => {
  const server = new Server();
  closers.push(() => server.forceShutdown());
  const port = await new Promise<number>((resolve) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (_, bound) => resolve(bound));
  });
  expect((await tryEcho(`127.0.0.1:${port}`)).code).toBe(STATUS.UNIMPLEMENTED);
});
