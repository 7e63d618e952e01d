// The transport against itself, over real sockets: statuses, cancellation, back-pressure, losses, reconnection.
import { createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import type { Channel } from './channel.js';
import { STATUS } from './status.js';
import { ECHO, type EchoServer, openChannel, startCall, startEcho, until } from './testkit.js';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});
const own = <T extends { close(): unknown }>(it: T): T => {
  closers.push(() => it.close());
  return it;
};
async function pair(): Promise<{ server: EchoServer; channel: Channel }> {
  const server = own(await startEcho());
  return { server, channel: own(openChannel(server.address)) };
}

test('messages of every size go there and back in order, also those written before there is a connection', async () => {
  const { server, channel } = await pair();
  const caller = startCall(channel);
  const messages = ['', 'a', 'é'.repeat(9000), 'b'.repeat(99_999), '', 'c'];
  for (const message of messages) caller.call.write(message);
  caller.call.end();
  await until('the end', () => caller.ends.length > 0);
  expect(caller.heard).toEqual(messages);
  expect(caller.ends).toEqual([{ code: STATUS.OK, details: '' }]);
  expect(server.served[0]).toMatchObject({ heard: messages, halfClosed: true, gone: 0 });
});

test('a status comes with its details, after the messages before it, and the stream is gone on both sides', async () => {
  const { server, channel } = await pair();
  const caller = startCall(channel);
  caller.call.write('first');
  caller.call.write('end 11');
  await until('the end', () => caller.ends.length > 0);
  expect(caller.heard).toEqual(['first']);
  expect(caller.ends).toEqual([{ code: STATUS.OUT_OF_RANGE, details: 'as asked for: é%\n' }]);
  expect(caller.call.write('late')).toBe(false);
  expect(server.served[0]?.call.write('late')).toBe(false);
  expect(server.served[0]?.gone).toBe(0);
});

test('a cancelled call ends as CANCELLED on this side, and the other one finds it gone, once', async () => {
  const { server, channel } = await pair();
  const caller = startCall(channel);
  caller.call.write('hello');
  await until('the echo', () => caller.heard.length === 1);
  caller.call.cancel();
  caller.call.cancel();
  expect(caller.ends).toEqual([]);
  await until('both ends', () => caller.ends.length > 0 && server.served[0]?.gone === 1);
  expect(caller.ends.map((end) => end.code)).toEqual([STATUS.CANCELLED]);
  server.served[0]?.call.end();
  const next = startCall(channel);
  next.call.write('still there');
  await until('the next call', () => next.heard.length === 1);
  expect(server.served.map((one) => one.gone)).toEqual([1, 0]);
});

test('a call that is cancelled before there is a connection is never sent', async () => {
  const { server, channel } = await pair();
  const [one, two] = [startCall(channel), startCall(channel)];
  one.call.cancel();
  two.call.write('a');
  await until('the other one', () => two.heard.length === 1);
  expect(one.ends.map((end) => end.code)).toEqual([STATUS.CANCELLED]);
  expect(server.served.length).toBe(1);
});

test.each([
  { name: 'a message that is too long', message: 'x'.repeat(100_001), code: STATUS.RESOURCE_EXHAUSTED },
  { name: 'a message that cannot be read', message: 'not a message', code: STATUS.INTERNAL },
])('$name ends the call with its status; the other calls go on', async ({ message, code }) => {
  const { server, channel } = await pair();
  const [bad, good] = [startCall(channel), startCall(channel)];
  bad.call.write(message);
  await until('the end', () => bad.ends.length > 0);
  expect(bad.ends[0]?.code).toBe(code);
  expect(server.served[0]).toMatchObject({ heard: [], gone: 1 });
  good.call.write('hello');
  await until('the co-tenant', () => good.heard.length === 1);
});

test('an answer that is too long, or cannot be read, ends the call on this side and cancels it on the other', async () => {
  const { server, channel } = await pair();
  for (const answer of ['x'.repeat(100_001), 'not a message']) {
    const caller = startCall(channel);
    caller.call.write('-');
    await until('the call', () => server.served.at(-1)?.heard.length === 1);
    server.served.at(-1)?.call.write(answer);
    await until('both ends', () => caller.ends.length > 0 && server.served.at(-1)?.gone === 1);
    expect(caller.ends[0]?.code).toBe(answer.length > 1000 ? STATUS.RESOURCE_EXHAUSTED : STATUS.INTERNAL);
    server.served.pop();
  }
});

/** Writes until it is told not to, and goes on when it may; at most 2000 messages. */
function pump(write: (message: string) => boolean) {
  const state = { written: 0, blocked: false };
  const more = () => {
    state.blocked = false;
    while (state.written < 2000 && !state.blocked) {
      state.written += 1;
      state.blocked = !write('x'.repeat(1000));
    }
  };
  return { state, more };
}

test('a caller that does not read stops the one that writes, loses nothing, and holds nobody else up', async () => {
  const { server, channel } = await pair();
  const caller = startCall(channel);
  caller.call.write('-begin');
  await until('the call', () => server.served[0]?.heard.length === 1);
  caller.call.pause();
  const one = server.served[0];
  if (one === undefined) throw new Error('no call');
  const { state, more } = pump((message) => one.call.write(message));
  let drains = 0;
  const onTurn = () => {
    if (one.drains > drains) more();
    drains = one.drains;
    return state.blocked;
  };
  more();
  // As many times as it takes until the windows are full: a co-tenant's echoes then show that time passes and nothing moves.
  const coTenant = startCall(channel);
  let stalled = -1;
  for (let turn = 0; stalled !== state.written; turn++) {
    stalled = state.written;
    for (let i = 0; i < 20; i++) {
      const before = coTenant.heard.length;
      coTenant.call.write(String(turn));
      await until('the co-tenant', () => coTenant.heard.length > before);
      onTurn();
    }
  }
  expect(state.written).toBeLessThan(200);
  expect(state.blocked).toBe(true);
  caller.call.resume();
  await until('the rest', () => {
    onTurn();
    return caller.heard.length === 2000;
  });
  expect(one.gone).toBe(0);
});

test('a server that does not read stops the caller, and gets everything afterwards', async () => {
  const { server, channel } = await pair();
  let drains = 0;
  const call = channel.call(ECHO);
  call.listen({ message: () => undefined, end: () => undefined, drain: () => void (drains += 1) });
  call.write('-begin');
  await until('the call', () => server.served[0]?.heard.length === 1);
  server.served[0]?.call.pause();
  const { state, more } = pump((message) => call.write(`-${message}`));
  more();
  expect(state.written).toBeLessThan(200);
  server.served[0]?.call.resume();
  let seen = 0;
  await until('the rest', () => {
    if (drains > seen) more();
    seen = drains;
    return server.served[0]?.heard.length === 2001;
  });
});

test('what came before a loss is delivered before it is told, also when nobody was reading', async () => {
  const { server, channel } = await pair();
  const caller = startCall(channel);
  caller.call.write('-begin');
  await until('the call', () => server.served[0]?.heard.length === 1);
  caller.call.pause();
  const coTenant = startCall(channel);
  for (let i = 0; i < 5; i++) server.served[0]?.call.write(String(i));
  coTenant.call.write('a');
  await until('the co-tenant', () => coTenant.heard.length === 1);
  await server.close();
  await until('the loss', () => coTenant.ends.length > 0);
  expect(coTenant.ends[0]?.code).toBe(STATUS.UNAVAILABLE);
  expect([caller.heard, caller.ends]).toEqual([[], []]);
  caller.call.resume();
  await until('the end', () => caller.ends.length > 0);
  expect(caller.heard).toEqual(['0', '1', '2', '3', '4']);
  expect(caller.ends[0]?.code).toBe(STATUS.UNAVAILABLE);
});

test('closing the channel ends its calls, and a call on a closed one ends at once', async () => {
  const { server, channel } = await pair();
  const caller = startCall(channel);
  caller.call.write('a');
  await until('the echo', () => caller.heard.length === 1);
  channel.close();
  const late = startCall(channel);
  await until('the ends', () => caller.ends.length + late.ends.length === 2 && server.served[0]?.gone === 1);
  expect([caller.ends[0]?.code, late.ends[0]?.code]).toEqual([STATUS.UNAVAILABLE, STATUS.UNAVAILABLE]);
});

test('a call for which nobody listens there ends as UNAVAILABLE, and the channel comes back when somebody does', async () => {
  const first = await startEcho();
  await first.close();
  const failures: string[] = [];
  const channel = own(openChannel(first.address, { onFailure: (reason) => void failures.push(reason) }));
  channel.connect();
  const caller = startCall(channel);
  await until('the end', () => caller.ends.length > 0);
  expect(caller.ends[0]).toMatchObject({ code: STATUS.UNAVAILABLE });
  expect(failures[0]).toContain('ECONNREFUSED');
  const second = own(await startEcho({ port: first.port }));
  await until('the connection', () => channel.ready);
  const next = startCall(channel);
  next.call.write('a');
  await until('the echo', () => next.heard.length === 1);
  expect(second.served.length).toBe(1);
});

test('a server that closes lets its calls end in order', async () => {
  const { server, channel } = await pair();
  const caller = startCall(channel);
  caller.call.write('a');
  await until('the echo', () => caller.heard.length === 1);
  const closed = server.close();
  caller.call.write('end 0');
  await closed;
  await until('the end', () => caller.ends.length > 0);
  expect(caller.ends[0]?.code).toBe(STATUS.OK);
});

test('too many calls that wait are refused, and the others are not lost', async () => {
  const { channel } = await pair();
  const callers = Array.from({ length: 1030 }, () => startCall(channel));
  for (const { call } of callers) {
    call.write('a');
    call.end();
  }
  await until('all ends', () => callers.every((caller) => caller.ends.length === 1));
  const refused = callers.filter((caller) => caller.ends[0]?.code === STATUS.UNAVAILABLE);
  expect(refused.length).toBe(6);
  expect(callers.filter((caller) => caller.heard.join() === 'a').length).toBe(1024);
});

/** Accepts connections and says `hello` bytes, then nothing more. */
async function startSilent(hello: Buffer): Promise<{ server: Server; address: string; close(): void }> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined).resume();
    socket.write(hello);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () => {
    for (const socket of sockets) socket.destroy();
    server.close();
  };
  return own({ server, address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close });
}
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

test('a server that vanishes without a word is known by its silence', async () => {
  const { address } = await startSilent(SETTINGS);
  const channel = own(openChannel(address, { timing: { keepAlive: { intervalMs: 20, timeoutMs: 20 } } }));
  const caller = startCall(channel);
  await until('the end', () => caller.ends.length > 0);
  expect(caller.ends[0]).toEqual({ code: STATUS.UNAVAILABLE, details: 'the connection was lost' });
});

test('a server that never speaks HTTP/2 costs one attempt’s time', async () => {
  const { address } = await startSilent(Buffer.alloc(0));
  const channel = own(openChannel(address, { timing: { connectMs: 30 } }));
  const caller = startCall(channel);
  await until('the end', () => caller.ends.length > 0);
  expect(caller.ends[0]).toEqual({ code: STATUS.UNAVAILABLE, details: 'no connection within 30 ms' });
});

test('what is no gRPC server at all gives a status', async () => {
  const { address } = await startSilent(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const [one] = [startCall(own(openChannel(address)))];
  await until('the end', () => one.ends.length > 0);
  expect(one.ends[0]?.code).toBe(STATUS.UNAVAILABLE);

  const web = createHttp2Server((request, response) => {
    response.writeHead(request.headers['user-agent'] === 'rungrid' ? 404 : 200).end();
  });
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  own({ close: () => web.close() });
  const two = startCall(own(openChannel(`127.0.0.1:${(web.address() as AddressInfo).port}`)));
  await until('the end', () => two.ends.length > 0);
  expect(two.ends[0]?.code).toBe(STATUS.UNIMPLEMENTED);
});
