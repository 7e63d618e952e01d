// Rules of the channel to a worker: when it connects, what it does about a worker that does not answer, and in which order an end is reported.
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { Metadata, Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { RunEvent, RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import { RUN_METHOD } from '@rungrid/proto/method';
import { until } from '@rungrid/testkit/until';
import { afterEach, expect, test } from 'vitest';
import { credentialsOf, WorkerChannel, type WorkerChannelOptions } from './channel.js';
import { wrapCall } from './run-stream.js';

type Call = ServerDuplexStream<RunInput, RunEvent>;

const closers: (() => unknown)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).toReversed()) close();
});

async function startServer(port = 0): Promise<{ server: Server; port: number; calls: Call[] }> {
  const server = new Server();
  const calls: Call[] = [];
  server.addService(
    { run: RUN_METHOD },
    {
      run: (call: Call) => {
        call.on('error', () => undefined);
        call.sendMetadata(new Metadata());
        calls.push(call);
      },
    },
  );
  closers.push(() => server.forceShutdown());
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, given) => {
      if (error === null) resolve(given);
      else reject(error);
    });
  });
  return { server, port: bound, calls };
}

function open(port: number, options: Partial<WorkerChannelOptions> = {}) {
  const security = { secrets: ['s'.repeat(32)], tls: undefined };
  const seen = { ready: 0, failures: [] as string[] };
  const channel = new WorkerChannel({
    address: `127.0.0.1:${port}`,
    security,
    credentials: credentialsOf(security),
    onReady: () => void (seen.ready += 1),
    onFailure: (reason) => void seen.failures.push(reason),
    ...options,
  });
  closers.push(() => channel.close());
  return { channel, seen };
}

/** A call, with what its handlers receive. */
function startCall(channel: WorkerChannel) {
  const received: string[] = [];
  const stream = wrapCall(channel.call(), {
    handlers: {
      event: (event) => void received.push('text' in event ? event.text : event.kind),
      end: (fault) => void received.push(fault?.kind ?? 'in order'),
    },
    onClosed: ({ code }) => void received.push(status[code] ?? ''),
  });
  return { stream, received };
}

test('it connects without a call, shows the secret, and connects again after a loss', async () => {
  const first = await startServer();
  const { channel, seen } = open(first.port);
  await until(() => seen.ready === 1, { what: 'the connection' });
  startCall(channel);
  await until(() => first.calls.length === 1, { what: 'the call' });
  expect(first.calls[0]?.metadata.get('authorization')).toEqual([`Bearer ${'s'.repeat(32)}`]);
  first.server.forceShutdown();
  await until(() => channel.failing, { what: 'a failed attempt' });
  await startServer(first.port);
  await until(() => seen.ready === 2, { what: 'the second connection' });
});

test('calls to a worker that cannot be reached are lost, and their status says why', async () => {
  const { server, port } = await startServer();
  server.forceShutdown();
  const { channel } = open(port);
  const call = channel.call();
  let details = '';
  call.on('status', (given) => {
    details = given.details;
  });
  call.resume();
  await until(() => details !== '', { what: 'the status' });
  expect(details).toContain('ECONNREFUSED');
  expect(channel.failing).toBe(true);
});

test('a worker that never speaks HTTP/2 costs one attempt’s time', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => void sockets.push(socket));
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  closers.push(() => stop(silent, sockets));
  const { channel, seen } = open((silent.address() as AddressInfo).port, { connectMs: 50 });
  const { received } = startCall(channel);
  await until(() => received.length === 2 && sockets.length === 2, { what: 'the end, and another attempt' });
  expect(received).toEqual(['UNAVAILABLE', 'lost']);
  expect(seen.failures[0]).toBe('it does not answer');
});

function stop(server: NetServer, sockets: Socket[]): void {
  for (const socket of sockets) socket.destroy();
  server.close();
}

test('events that came before a fault are delivered before it, also while the reader is paused', async () => {
  const { server, port, calls } = await startServer();
  const { channel } = open(port);
  const { stream, received } = startCall(channel);
  await until(() => calls.length === 1, { what: 'the call' });
  stream.pause();
  for (const seq of [1, 2, 3]) calls[0]?.write({ seq, event: { $case: 'stdout', value: Buffer.from(String(seq)) } });
  const other = startCall(channel);
  await until(() => calls.length === 2, { what: 'the other call' });
  calls[1]?.write({ seq: 9, event: { $case: 'stdout', value: Buffer.from('9') } });
  await until(() => other.received.length === 1, { what: 'its event' });
  calls[0]?.emit('error', { code: status.OUT_OF_RANGE, details: 'gap' });
  calls[1]?.end();
  await until(() => other.received.length === 3, { what: 'its end' });
  server.forceShutdown();
  await until(() => !channel.failing, { what: 'the loss' });
  expect(received).toEqual([]);
  stream.resume();
  await until(() => received.length === 5, { what: 'the end' });
  expect(received).toEqual(['1', '2', '3', 'OUT_OF_RANGE', 'out_of_range']);
  expect(other.received).toEqual(['9', 'OK', 'in order']);
});

test('a cancelled call calls no handler, and ends at the worker', async () => {
  const { port, calls } = await startServer();
  const { channel } = open(port);
  const { stream, received } = startCall(channel);
  let cancelled = false;
  await until(() => calls.length === 1, { what: 'the call' });
  calls[0]?.on('cancelled', () => {
    cancelled = true;
  });
  stream.pause();
  stream.cancel();
  await until(() => cancelled && received.length > 0, { what: 'both ends' });
  expect(received).toEqual(['CANCELLED']);
});
