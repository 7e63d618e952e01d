// Tests of admission: the first reason against a run, and the spec of one that is let through.
import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { signToken, type TokenClaims } from '@rungrid/proto/token';
import { parseRunRequest } from '@rungrid/proto/stream-entries';
import type { AdmissionResult } from '../session/types.js';
import { addressOf, forwardedAddress, hashAddress } from './address.js';
import { Admission } from './admission.js';
import { LanguageCatalog, versionFits } from './catalog.js';

const KEY = 'a secret of the tests';
const language = (name: string, aliases: string[] = []) => ({
  name,
  title: name,
  version: '3.13.5',
  aliases,
  file_name: 'f',
  mode: 'warm' as const,
  hello: '',
});
const worker = (...languages: ReturnType<typeof language>[]) => ({
  id: 'worker01',
  grpc: 'a:1',
  metrics: '',
  pid: 1,
  draining: false,
  languages,
});
const client = { origin: 'https://a.test', address: 'a', addressHash: 'h', siteHash: 's' };

function setup(options: { runsPerAddress?: number; empty?: boolean } = {}) {
  const catalog = new LanguageCatalog();
  if (options.empty !== true) catalog.update([worker(language('python', ['py']), language('bash'))], 0);
  const admission = new Admission({
    gatewayId: 'gateway1',
    tokenKeys: new Map([['k', KEY]]),
    catalog,
    wallMs: 10_000,
    runsPerAddress: options.runsPerAddress ?? 100,
    runsWindowMs: 60_000,
  });
  const token = (claims?: TokenClaims) =>
    signToken({ keyId: 'k', key: KEY, origin: client.origin, ...(claims && { claims }) });
  const admit = (more: Record<string, unknown> = {}, claims?: TokenClaims) =>
    admission.admit({ code: 'x', language: 'py', token: token(claims), ...more }, client);
  return { admit, token };
}

const requestOf = (result: AdmissionResult) => (result.ok ? parseRunRequest(result.spec.request) : undefined);

test('a run under an alias gets the canonical name, ids of its own, and what the client sent', () => {
  const { admit } = setup();
  const result = admit({ stdin: 'in', args: ['a'], files: [{ name: 'f', content: 'c' }] });
  expect(result).toMatchObject({
    ok: true,
    spec: {
      addressHash: 'h',
      siteHash: 's',
      wallMs: 10_000,
      language: 'python',
      keep: false,
      stdinGiven: true,
    },
  });
  const request = { language: 'python', gateway: 'gateway1', code: 'x', stdin: 'in', args: ['a'], limits: {} };
  expect(requestOf(result)).toMatchObject(request);
});

test.each<[Record<string, unknown>, string]>([
  [{ language: 'cobol', token: 'bad' }, 'unknown_language'],
  [{ language: '__proto__' }, 'unknown_language'],
  [{ version: '2', token: 'bad' }, 'unknown_version'],
  [{ token: 'bad' }, 'token_invalid'],
])('%j: %s', (more, code) => {
  expect(setup().admit(more)).toMatchObject({ ok: false, code });
});

test('no worker was ever seen: overloaded, not unknown', () => {
  expect(setup({ empty: true }).admit()).toMatchObject({
    ok: false,
    code: 'overloaded',
    retryAfterMs: expect.any(Number),
  });
});

test('claims narrow languages, code and limits, and never widen', () => {
  const { admit } = setup();
  expect(admit({}, { languages: ['bash'] })).toMatchObject({ code: 'token_scope' });
  expect(admit({}, { languages: ['python'] })).toMatchObject({ ok: true });
  expect(admit({}, { sha256: '0'.repeat(64) })).toMatchObject({ code: 'token_scope' });
  expect(admit({}, { sha256: createHash('sha256').update('x').digest('hex') })).toMatchObject({ ok: true });
  const sha256 = createHash('sha256').update('x').digest('hex');
  expect(admit({ files: [{ name: 'json.py', content: 'other code' }] }, { sha256 })).toMatchObject({
    code: 'token_scope',
  });
  expect(admit({ files: [] }, { sha256 })).toMatchObject({ ok: true });
  const narrowed = admit({ limits: { wall_ms: 700, cpu_ms: 9 } }, { limits: { wall_ms: 500, output_bytes: 3 } });
  expect(narrowed).toMatchObject({ spec: { wallMs: 500 } });
  expect(requestOf(narrowed)).toMatchObject({ limits: { wall_ms: 500, cpu_ms: 9, output_bytes: 3 } });
  expect(admit({ limits: { wall_ms: 99_999 } })).toMatchObject({ spec: { wallMs: 10_000 } });
});

test('an address has its rate; refused tokens do not use it up', () => {
  const { admit } = setup({ runsPerAddress: 2 });
  for (let i = 0; i < 5; i++) admit({ token: 'bad' });
  expect([admit().ok, admit().ok]).toEqual([true, true]);
  expect(admit()).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
});

test('versions fit by whole parts', () => {
  expect(['3', '3.13', '3.13.5', '3.1', '3.13.55', ''].map((asked) => versionFits(asked, '3.13.5'))).toEqual([
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});

test('lists a language for a minute after its last worker has left', () => {
  const catalog = new LanguageCatalog();
  expect(catalog.update([worker(language('python'))], 0)).toBe(true);
  expect(catalog.update([], 60_000)).toBe(false);
  expect(catalog.find('python')).toBeDefined();
  expect(catalog.update([], 60_001)).toBe(true);
  expect(catalog.find('python')).toBeUndefined();
});

test('an address is an IPv4 one, mapped or not, or the /64 of an IPv6 one', () => {
  const v6 = (last: number) => Uint8Array.from([0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, last]);
  expect(addressOf(Uint8Array.from([127, 0, 0, 1]))).toBe('127.0.0.1');
  expect(addressOf(Uint8Array.from([...Array.from({ length: 10 }, () => 0), 255, 255, 1, 2, 3, 4]))).toBe('1.2.3.4');
  expect(addressOf(v6(1))).toBe('2001:db8:1:2');
  expect(addressOf(v6(2))).toBe(addressOf(v6(1)));
  // The engine gives no bytes for a peer that has disconnected.
  expect(addressOf(new Uint8Array())).toBe('unknown');
});

test('X-Forwarded-For is read from the right, as far as proxies are trusted', () => {
  const header = '6.6.6.6, 1.2.3.4, 10.0.0.1';
  expect(forwardedAddress({ header, trustedProxies: 0 })).toBeUndefined();
  expect(forwardedAddress({ header, trustedProxies: 1 })).toBe('10.0.0.1');
  expect(forwardedAddress({ header, trustedProxies: 2 })).toBe('1.2.3.4');
  expect(forwardedAddress({ header, trustedProxies: 5 })).toBeUndefined();
});

test.each([
  ['2001:db8:1:2::9', '2001:db8:1:2'],
  ['2001:DB8:0001:0002:3::', '2001:db8:1:2'],
  ['::ffff:1.2.3.4', '1.2.3.4'],
  ['::ffff:102:304', '1.2.3.4'],
  ['fe80::1%eth0', 'fe80:0:0:0'],
  ['64:ff9b::1.2.3.4', '64:ff9b:0:0'],
  ['::', '0:0:0:0'],
  ['drop tables', undefined],
  ['', undefined],
  ['1.2.3', undefined],
  ['127.1', undefined],
  ['0x7f.0.0.1', undefined],
  ['2130706433', undefined],
  ['1.2.3.256', undefined],
  ['::ffff:01.2.3.4', undefined],
  ['fe80::1%eth-0', undefined],
  ['1.2.3.4:80', undefined],
  ['[::1]', undefined],
  ['1::2::3', undefined],
])('a forwarded address %j is %j', (header, expected) => {
  expect(forwardedAddress({ header, trustedProxies: 1 })).toBe(expected);
});

test('a hashed address does not show the address, and depends on the key', () => {
  expect(hashAddress('1.2.3.4', 'a')).toMatch(/^[A-Za-z0-9_-]{22}$/);
  expect(hashAddress('1.2.3.4', 'a')).not.toBe(hashAddress('1.2.3.4', 'b'));
});
