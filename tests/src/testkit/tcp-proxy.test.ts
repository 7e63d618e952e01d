// The proxy that tests put between two parts: what it lets through, holds back and resets.
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { TcpProxy } from './tcp-proxy.js';
import { quietFor, until } from '@rungrid/testkit/until';

/** Long enough for loopback bytes to come, were they let through, ms. */
const QUIET_MS = 100;

let echo: Server;
let proxy: TcpProxy;
beforeEach(async () => {
  echo = createServer((socket) => socket.on('error', () => undefined).pipe(socket));
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  proxy = await TcpProxy.start((echo.address() as AddressInfo).port);
});
afterEach(async () => {
  await proxy.close();
  await new Promise<void>((resolve) => echo.close(() => resolve()));
});

function dial(): { socket: Socket; text: () => string; fault: () => string | undefined } {
  const socket = connect(proxy.port, '127.0.0.1');
  let text = '';
  let fault: string | undefined;
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()));
  socket.on('error', (error: NodeJS.ErrnoException) => (fault = error.code));
  return { socket, text: () => text, fault: () => fault };
}

test('bytes go through in both directions, and an end does too', async () => {
  const { socket, text } = dial();
  socket.end('hello');
  await until(() => socket.destroyed, { what: 'the end' });
  expect(text()).toBe('hello');
  expect(proxy.connections).toBe(0);
});

test('a cut holds everything back, on old connections and new ones; after it all of it arrives', async () => {
  const old = dial();
  old.socket.write('a');
  await until(() => old.text() === 'a', { what: 'the first byte' });
  proxy.cut();
  const fresh = dial();
  old.socket.write('b');
  fresh.socket.write('c');
  await quietFor(QUIET_MS);
  expect([old.text(), fresh.text()]).toEqual(['a', '']);
  expect(old.socket.destroyed || fresh.socket.destroyed).toBe(false);
  proxy.restore();
  await until(() => old.text() === 'ab' && fresh.text() === 'c', { what: 'what was held back' });
});

test('a reset reaches the other end as one', async () => {
  const { socket, text, fault } = dial();
  socket.write('a');
  await until(() => text() === 'a', { what: 'the connection' });
  proxy.reset();
  await until(() => socket.destroyed, { what: 'the reset' });
  expect(fault()).toBe('ECONNRESET');
});

test('without a listener, a connection is refused or reset', async () => {
  await new Promise<void>((resolve) => echo.close(() => resolve()));
  const { socket, fault } = dial();
  await until(() => socket.destroyed, { what: 'the refusal' });
  expect(fault()).toBe('ECONNRESET');
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
});
