// What gateways and workers show each other, out of the configuration: errors name variables and never a secret.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import {
  authorizationCheck,
  authorizationOf,
  type GrpcSecurity,
  readGrpcSecurity,
  requireSecurity,
} from './grpc-security.js';

const SCRIPT = fileURLToPath(new URL('../../../deploy/tls/certificates.sh', import.meta.url));
const [A, B] = ['a'.repeat(32), 'b'.repeat(40)];
const OPEN: GrpcSecurity = { secrets: [], tls: undefined };
const secret = (text: string): GrpcSecurity => readGrpcSecurity({ RUNGRID_GRPC_SECRET: text });
const folder = mkdtempSync(join(tmpdir(), 'rungrid-tls-'));
for (const args of [['ca'], ['gateway', 'gateway.test'], ['worker', 'worker.test']])
  execFileSync(SCRIPT, [folder, ...args]);
const file = (name: string) => join(folder, name);
const tls = readGrpcSecurity({
  RUNGRID_GRPC_CA: file('ca.pem'),
  RUNGRID_GRPC_CERT: file('worker.pem'),
  RUNGRID_GRPC_KEY: file('worker.key'),
});
afterAll(() => rmSync(folder, { recursive: true }));

test('the first secret is sent, each is accepted, and nothing else is', () => {
  expect(authorizationOf(secret(`${B}, ${A}`))).toBe(`Bearer ${B}`);
  expect(authorizationOf(OPEN)).toBeUndefined();
  const check = authorizationCheck(secret(`${B}, ${A}`));
  expect([`Bearer ${A}`, `Bearer ${B}`].map(check)).toEqual([true, true]);
  expect([undefined, '', 'Bearer ', A, `Bearer ${A}a`, `Bearer ${A},${B}`].filter(check)).toEqual([]);
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
  const [ca, cert, key] = ['ca.pem', 'worker.pem', 'gateway.key'].map(file) as [string, string, string];
  expect(() => readGrpcSecurity({ RUNGRID_GRPC_CA: ca, RUNGRID_GRPC_CERT: cert, RUNGRID_GRPC_KEY: key })).toThrow(
    'RUNGRID_GRPC_KEY: not usable together',
  );
  expect(readFileSync(ca, 'utf8')).toContain('BEGIN CERTIFICATE');
});

test.each(['0.0.0.0', '::', '10.0.0.7', 'worker.test'])('%s without a wall is refused, with what to do', (host) => {
  expect(() => requireSecurity(host, OPEN)).toThrow(/RUNGRID_GRPC_SECRET[^]*RUNGRID_GRPC_CA[^]*127\.0\.0\.1/);
  requireSecurity(host, secret(A));
  requireSecurity(host, tls);
});

test.each(['127.0.0.1', '127.8.9.1', '::1', 'localhost'])('%s needs no wall', (host) => {
  requireSecurity(host, OPEN);
});
