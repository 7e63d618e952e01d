// Who gets past the wall: secrets and certificates that fit do, all others do not, and the server lives on.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { status } from '@grpc/grpc-js';
import { type GrpcSecurity, readGrpcSecurity } from '@rungrid/kit/grpc-security';
import { until } from '@rungrid/testkit/until';
import { type EchoServer, OPEN, openClient, openRaw, startCall, startEcho, tryEcho } from './testkit.js';

const SCRIPT = fileURLToPath(new URL('../../../../deploy/tls/certificates.sh', import.meta.url));
const [A, B] = ['a'.repeat(32), 'b'.repeat(40)];
const folder = mkdtempSync(join(tmpdir(), 'rungrid-tls-'));
const make = (name: string, { hosts = [], days }: { hosts?: string[]; days?: number } = {}) =>
  execFileSync(SCRIPT, [join(folder, name.split('/')[0] ?? ''), name.split('/')[1] ?? '', ...hosts], {
    env: { PATH: process.env['PATH'], ...(days === undefined ? {} : { DAYS: String(days) }) },
  });
const tlsOf = (name: string, ca = name.split('/')[0] ?? ''): GrpcSecurity =>
  readGrpcSecurity({
    RUNGRID_GRPC_CA: join(folder, ca, 'ca.pem'),
    RUNGRID_GRPC_CERT: join(folder, `${name}.pem`),
    RUNGRID_GRPC_KEY: join(folder, `${name}.key`),
  });
const secret = (text: string): GrpcSecurity => readGrpcSecurity({ RUNGRID_GRPC_SECRET: text });

beforeAll(() => {
  for (const ca of ['ours', 'theirs']) {
    make(`${ca}/ca`);
    make(`${ca}/gateway`, { hosts: ['gateway.test'] });
    make(`${ca}/worker`, { hosts: ['127.0.0.1', 'worker.test'] });
  }
  make('ours/expired', { hosts: ['127.0.0.1'], days: -1 });
  make('ours/elsewhere', { hosts: ['elsewhere.test'] });
});
afterAll(() => rmSync(folder, { recursive: true }));

const servers: EchoServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
async function serve(security: GrpcSecurity): Promise<EchoServer> {
  const server = await startEcho({ security });
  servers.push(server);
  return server;
}

test.each([
  { name: 'the secret', server: A, client: secret(A), code: status.OK },
  { name: 'the new one of two', server: `${B},${A}`, client: secret(B), code: status.OK },
  { name: 'the old one of two', server: `${B}, ${A}`, client: secret(`${A},${B}`), code: status.OK },
  { name: 'no secret', server: A, client: OPEN, code: status.UNAUTHENTICATED },
  { name: 'a wrong secret', server: A, client: secret(B), code: status.UNAUTHENTICATED },
  { name: 'a part of it', server: B, client: secret('b'.repeat(39)), code: status.UNAUTHENTICATED },
  { name: 'the new one, too early', server: A, client: secret(`${B},${A}`), code: status.UNAUTHENTICATED },
])('secret: $name', async ({ server: accepted, client, code }) => {
  const server = await serve(secret(accepted));
  expect((await tryEcho(server.address, { security: client })).code).toBe(code);
  expect(server.served.length).toBe(code === status.OK ? 1 : 0);
  expect((await tryEcho(server.address, { security: secret(accepted.split(',')[0] ?? '') })).code).toBe(status.OK);
});

type Case = { name: string; client: () => GrpcSecurity; serverName?: string; server?: string };
const refused: Case[] = [
  { name: 'a client in plain text', client: () => OPEN },
  { name: 'a client of another CA that trusts ours', client: () => tlsOf('theirs/gateway', 'ours') },
  { name: 'a client whose certificate has expired', client: () => tlsOf('ours/expired') },
  { name: 'a client that trusts another CA only', client: () => tlsOf('ours/gateway', 'theirs') },
  {
    name: 'a server whose certificate is for another host',
    client: () => tlsOf('ours/gateway'),
    server: 'ours/elsewhere',
  },
  { name: 'a server whose certificate has expired', client: () => tlsOf('ours/gateway'), server: 'ours/expired' },
  {
    name: 'a server without the name that was configured',
    client: () => tlsOf('ours/gateway'),
    serverName: 'other.test',
  },
];

test.each(refused)(
  'mutual TLS refuses $name, and goes on',
  async ({ client, serverName, server: files = 'ours/worker' }) => {
    const server = await serve(tlsOf(files));
    const refusal = await tryEcho(server.address, {
      security: client(),
      ...(serverName === undefined ? {} : { serverName }),
    });
    expect(refusal.code).toBe(status.UNAVAILABLE);
    expect(server.served).toEqual([]);
    if (files !== 'ours/worker') return;
    expect((await tryEcho(server.address, { security: tlsOf('ours/gateway') })).code).toBe(status.OK);
  },
);

test('mutual TLS refuses a client without a certificate, and one that ends at TLS 1.2', async () => {
  const server = await serve(tlsOf('ours/worker'));
  const files = tlsOf('ours/gateway').tls;
  for (const options of [{ ca: files?.ca }, { ...files, maxVersion: 'TLSv1.2' as const }]) {
    const socket = connect({ host: '127.0.0.1', port: server.port, ALPNProtocols: ['h2'], ...options });
    let received = 0;
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => void (received += chunk.length));
    socket.on('secureConnect', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    await until(() => socket.destroyed, { what: 'the end of it' });
    expect(received).toBe(0);
  }
  expect((await tryEcho(server.address, { security: tlsOf('ours/gateway') })).code).toBe(status.OK);
});

test('a client with TLS is refused by a server in plain text', async () => {
  const server = await serve(OPEN);
  expect((await tryEcho(server.address, { security: tlsOf('ours/gateway') })).code).toBe(status.UNAVAILABLE);
  expect((await tryEcho(server.address)).code).toBe(status.OK);
});

test('handshakes that are begun and left do not hold up the others, nor the end', async () => {
  const server = await serve(tlsOf('ours/worker'));
  const sockets = await Promise.all(Array.from({ length: 50 }, () => openRaw(server.port)));
  expect((await tryEcho(server.address, { security: tlsOf('ours/gateway') })).code).toBe(status.OK);
  await server.close();
  servers.length = 0;
  await until(() => sockets.every((socket) => socket.destroyed), { what: 'all ends' });
});

test('with both, both are asked for; everything goes through mutual TLS as it does in plain text', async () => {
  const server = await serve({ ...tlsOf('ours/worker'), secrets: [A] });
  const security = { ...tlsOf('ours/gateway'), secrets: [A] };
  expect((await tryEcho(server.address, { security: tlsOf('ours/gateway') })).code).toBe(status.UNAUTHENTICATED);
  const client = openClient(server.address, { security, serverName: 'worker.test' });
  const [one, two] = [startCall(client, security), startCall(client, security)];
  const messages = ['', 'a', 'é'.repeat(9000), 'b'.repeat(99_999)];
  for (const message of messages) one.say(message);
  one.call.write({ input: { $case: 'signal', value: { name: '5' } } });
  two.say('c');
  await until(() => one.ends.length > 0 && two.received.length > 0, { what: 'the end of one' });
  expect(one.received).toEqual(messages);
  expect(one.ends[0]).toMatchObject({ code: status.NOT_FOUND, details: 'as asked for: é%' });
  two.call.cancel();
  await until(() => server.served[1]?.over === true, { what: 'the cancel' });
  client.close();
});

test('a connection whose calls go on being refused is closed', async () => {
  const server = await serve(secret(A));
  const client = openClient(server.address);
  const callers = Array.from({ length: 300 }, () => startCall(client));
  await until(() => callers.every((caller) => caller.ends.length === 1), { what: 'all ends' });
  expect(callers.filter((caller) => caller.ends[0]?.code === status.UNAVAILABLE).length).toBeGreaterThan(0);
  expect(server.served).toEqual([]);
  client.close();
});
