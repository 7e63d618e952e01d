// Who gets past the wall: secrets and certificates that fit do, all others do not, and the server lives on.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ChannelOptions } from './channel.js';
import { type GrpcSecurity, readGrpcSecurity, requireSecurity } from './security.js';
import { STATUS } from './status.js';
import { type EchoServer, OPEN, openChannel, openRaw, startCall, startEcho, tryEcho, until } from './testkit.js';

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
  { name: 'the secret', server: A, client: secret(A), code: STATUS.OK },
  { name: 'the new one of two', server: `${B},${A}`, client: secret(B), code: STATUS.OK },
  { name: 'the old one of two', server: `${B}, ${A}`, client: secret(`${A},${B}`), code: STATUS.OK },
  { name: 'no secret', server: A, client: OPEN, code: STATUS.UNAUTHENTICATED },
  { name: 'a wrong secret', server: A, client: secret(B), code: STATUS.UNAUTHENTICATED },
  { name: 'a part of it', server: B, client: secret('b'.repeat(39)), code: STATUS.UNAUTHENTICATED },
  { name: 'the new one, too early', server: A, client: secret(`${B},${A}`), code: STATUS.UNAUTHENTICATED },
])('secret: $name', async ({ server: accepted, client, code }) => {
  const server = await serve(secret(accepted));
  expect((await tryEcho(server.address, { security: client })).code).toBe(code);
  expect(server.served.length).toBe(code === STATUS.OK ? 1 : 0);
  expect((await tryEcho(server.address, { security: secret(accepted.split(',')[0] ?? '') })).code).toBe(STATUS.OK);
});

type Case = { name: string; client: () => GrpcSecurity; options?: Partial<ChannelOptions>; server?: string };
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
    options: { serverName: 'other.test' },
  },
];

test.each(refused)(
  'mutual TLS refuses $name, says why, and goes on',
  async ({ client, options, server: files = 'ours/worker' }) => {
    const server = await serve(tlsOf(files));
    const reasons: string[] = [];
    const status = await tryEcho(server.address, {
      security: client(),
      onFailure: (reason) => void reasons.push(reason),
      ...options,
    });
    expect(status.code).toBe(STATUS.UNAVAILABLE);
    expect(reasons).toEqual([status.details]);
    expect(status.details.length).toBeGreaterThan(10);
    expect(server.served).toEqual([]);
    if (files !== 'ours/worker') return;
    expect((await tryEcho(server.address, { security: tlsOf('ours/gateway') })).code).toBe(STATUS.OK);
  },
);

test('mutual TLS refuses a client without a certificate, and one that ends at TLS 1.2', async () => {
  const server = await serve(tlsOf('ours/worker'));
  const files = tlsOf('ours/gateway').tls;
  for (const options of [{ ca: files?.ca }, { ...files, maxVersion: 'TLSv1.2' as const }]) {
    const socket = connect({ host: '127.0.0.1', port: server.port, ALPNProtocols: ['h2'], ...options });
    let heard = 0;
    socket.on('error', () => undefined).on('data', (chunk: Buffer) => void (heard += chunk.length));
    socket.on('secureConnect', () => socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'));
    await until('the end of it', () => socket.destroyed);
    expect(heard).toBe(0);
  }
  expect((await tryEcho(server.address, { security: tlsOf('ours/gateway') })).code).toBe(STATUS.OK);
});

test('a client with TLS is refused by a server in plain text', async () => {
  const server = await serve(OPEN);
  expect((await tryEcho(server.address, { security: tlsOf('ours/gateway') })).code).toBe(STATUS.UNAVAILABLE);
  expect((await tryEcho(server.address)).code).toBe(STATUS.OK);
});

test('handshakes that are begun and left do not hold up the others, nor the end', async () => {
  const server = await serve(tlsOf('ours/worker'));
  const sockets = await Promise.all(Array.from({ length: 50 }, () => openRaw(server.port)));
  expect((await tryEcho(server.address, { security: tlsOf('ours/gateway') })).code).toBe(STATUS.OK);
  await server.close();
  servers.length = 0;
  await until('all ends', () => sockets.every((socket) => socket.destroyed));
});

test('with both, both are asked for; everything goes through mutual TLS as it does in plain text', async () => {
  const both = { ...tlsOf('ours/worker'), secrets: [A] };
  const server = await serve(both);
  const client = tlsOf('ours/gateway');
  expect((await tryEcho(server.address, { security: client })).code).toBe(STATUS.UNAUTHENTICATED);
  const channel = openChannel(server.address, { security: { ...client, secrets: [A] }, serverName: 'worker.test' });
  const [one, two] = [startCall(channel), startCall(channel)];
  const messages = ['', 'a', 'é'.repeat(9000), 'b'.repeat(99_999)];
  for (const message of messages) one.call.write(message);
  one.call.write('end 5');
  two.call.write('c');
  await until('the end of one', () => one.ends.length > 0 && two.heard.length > 0);
  expect(one).toMatchObject({ heard: messages, ends: [{ code: STATUS.NOT_FOUND }] });
  two.call.cancel();
  await until('the cancel', () => server.served[1]?.gone === 1);
  channel.close();
});

test.each([
  [{ RUNGRID_GRPC_SECRET: 'c'.repeat(31) }, 'RUNGRID_GRPC_SECRET: entry 1'],
  [{ RUNGRID_GRPC_SECRET: `${A},${'c'.repeat(31)}` }, 'RUNGRID_GRPC_SECRET: entry 2'],
  [{ RUNGRID_GRPC_SECRET: 'c c'.repeat(31) }, 'RUNGRID_GRPC_SECRET'],
  [{ RUNGRID_GRPC_CA: 'ca.pem' }, 'RUNGRID_GRPC_CERT, RUNGRID_GRPC_KEY: not set'],
  [
    { RUNGRID_GRPC_CA: '/nowhere', RUNGRID_GRPC_CERT: '/nowhere', RUNGRID_GRPC_KEY: '/nowhere' },
    'RUNGRID_GRPC_CA: ENOENT',
  ],
])('configuration %j: the error names the variable and no secret', (values, message) => {
  expect(() => readGrpcSecurity(values)).toThrow(message);
  expect(() => readGrpcSecurity(values)).not.toThrow(/aaaa|ccc/);
});

test('a key that is not the certificate’s is refused at the start', () => {
  const [cert, key] = ['ours/worker.pem', 'ours/gateway.key'].map((name) => join(folder, name));
  const ca = join(folder, 'ours/ca.pem');
  expect(() => readGrpcSecurity({ RUNGRID_GRPC_CA: ca, RUNGRID_GRPC_CERT: cert, RUNGRID_GRPC_KEY: key })).toThrow(
    'RUNGRID_GRPC_KEY: not usable together',
  );
  expect(readFileSync(ca, 'utf8')).toContain('BEGIN CERTIFICATE');
});

test.each(['0.0.0.0', '::', '10.0.0.7', 'worker.test'])('%s without a wall is refused, with what to do', (host) => {
  expect(() => requireSecurity(host, OPEN)).toThrow(/RUNGRID_GRPC_SECRET[^]*RUNGRID_GRPC_CA[^]*127\.0\.0\.1/);
  requireSecurity(host, secret(A));
  requireSecurity(host, tlsOf('ours/worker'));
});

test.each(['127.0.0.1', '127.8.9.1', '::1', 'localhost'])('%s needs no wall', (host) => {
  requireSecurity(host, OPEN);
});
