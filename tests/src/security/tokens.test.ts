// Forged, moved, replayed and odd tokens: over the socket, each refused with its code, and none of them by an accident of ours.
import { Buffer } from 'node:buffer';
import { createHash, createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KEYS, ORIGIN } from '../testkit/stack.js';
import { useStack } from '../testkit/use-stack.js';

const CODE = 'print("ran")';
const stack = useStack({ gateways: 2 });

interface Parts {
  readonly stamp?: string;
  readonly keyId?: string;
  readonly key?: string;
  readonly nonce?: string;
  /** Taken as it is. */
  readonly claims?: string;
  readonly origin?: string;
}
let count = 0;

/** A correctly signed token with a malformed payload. */
function forge(parts: Parts = {}): string {
  const { stamp = String(Date.now()), keyId = 'first', key = KEYS.first, origin = '' } = parts;
  const { nonce = `nonce-${Date.now()}-${++count}`, claims } = parts;
  const payload = `${stamp}.${keyId}.${nonce}${claims === undefined ? '' : `.${claims}`}`;
  return `${payload}_${createHmac('sha256', key).update(`${payload}\n${origin}`).digest('hex')}`;
}
const json = (text: string) => Buffer.from(text).toString('base64url');

async function outcome(token: string, options: { origin?: string; files?: { name: string; content: string }[] } = {}) {
  const client = await stack().connect(options.origin === undefined ? {} : { origin: options.origin });
  const run = client.run(CODE, 'python', { token, files: options.files ?? [] });
  const end = await run.end();
  await client.close();
  return end.event === 'error' ? end.data.code : end.data.reason;
}

describe('a token is refused that', () => {
  test.each<[string, string, () => string]>([
    ['is not a token', 'token_invalid', () => 'x'],
    ['has lost half of its signature', 'token_invalid', () => forge().slice(0, -32)],
    ['has lost one digit', 'token_invalid', () => forge().slice(0, -1)],
    ['has one digit more', 'token_invalid', () => `${forge()}0`],
    ['is in capitals', 'token_invalid', () => forge().replace(/[0-9a-f]{64}$/, (hex) => hex.toUpperCase())],
    ['has an empty signature', 'token_invalid', () => forge().replace(/[0-9a-f]{64}$/, '')],
    ['ends in a newline', 'token_invalid', () => `${forge()}\n`],
    ['begins with a space', 'token_invalid', () => ` ${forge()}`],
    ['has digits of another script', 'token_invalid', () => forge({ stamp: '١٧٠٠٠٠٠٠٠٠٠٠٠' })],
    ['has a stamp with a sign', 'token_invalid', () => forge({ stamp: '+1700000000000' })],
    ['has a stamp with a fraction', 'token_invalid', () => forge({ stamp: `${Date.now()}.5` })],
    ['has a stamp of nothing', 'token_invalid', () => forge({ stamp: '' })],
    ['is of the year 1970', 'token_expired', () => forge({ stamp: '0' })],
    ['is of the far future', 'token_expired', () => forge({ stamp: '999999999999999' })],
    ['is just past its window', 'token_expired', () => forge({ stamp: String(Date.now() - 301_000) })],
    ['comes ten seconds early', 'token_expired', () => forge({ stamp: String(Date.now() + 10_000) })],
    ['names the other key', 'token_invalid', () => forge({ keyId: 'second' })],
    ['names a property', 'token_invalid', () => forge({ keyId: 'constructor', key: 'undefined' })],
    ['is signed with nothing', 'token_invalid', () => forge({ key: '' })],
    ['is signed with its key id', 'token_invalid', () => forge({ key: 'first' })],
    ['is signed for a page', 'token_invalid', () => forge({ origin: ORIGIN })],
    ['is signed for an origin with a slash', 'token_invalid', () => forge({ origin: '/' })],
    ['carries the origin in its nonce', 'token_invalid', () => forge({ nonce: `aaaaaaaa\n${ORIGIN}` })],
    ['has a short nonce', 'token_invalid', () => forge({ nonce: 'aaaa' })],
    ['has claims that are not JSON', 'token_invalid', () => forge({ claims: json('{') })],
    ['has claims that are a list', 'token_invalid', () => forge({ claims: json('[]') })],
    ['has claims that are null', 'token_invalid', () => forge({ claims: json('null') })],
    ['has claims of the wrong types', 'token_invalid', () => forge({ claims: json('{"languages":"python"}') })],
    ['has claims nested deep', 'token_invalid', () => forge({ claims: json(`{"user":${'['.repeat(900)}`) })],
    ['has huge claims', 'token_invalid', () => forge({ claims: 'A'.repeat(1600) })],
    ['has no languages at all', 'token_scope', () => forge({ claims: json('{"languages":[]}') })],
    ['is for a property', 'token_scope', () => forge({ claims: json('{"languages":["__proto__"]}') })],
  ])('%s', async (_what, code, token) => {
    expect(await outcome(token())).toBe(code);
  });
});

test('claims that reach for prototypes are unknown claims, and change nothing for the next', async () => {
  const claims = '{"__proto__":{"languages":["bash"]},"constructor":{"prototype":{"sha256":"x"}},"toString":1}';
  expect(await outcome(forge({ claims: json(claims) }))).toBe('exited');
  expect(await outcome(forge())).toBe('exited');
});

test('a token of a page is no good on another page, nor without one', async () => {
  const token = () => stack().mint(ORIGIN);
  expect(await outcome(token())).toBe('token_invalid');
  expect(await outcome(token(), { origin: ORIGIN })).toBe('exited');
});

test('a token is spent once, however many gateways and sockets try at the same moment', async () => {
  const token = stack().mint('');
  const ends = await Promise.all(
    Array.from({ length: 12 }, async (_, index) => {
      const gateway = stack().gateways[index % 2];
      const client = await stack().connect(gateway === undefined ? {} : { gateway });
      const end = await client.run(CODE, 'python', { token }).end();
      await client.close();
      return end.event === 'error' ? end.data.code : end.data.reason;
    }),
  );
  expect(ends.filter((end) => end === 'exited')).toHaveLength(1);
  expect(ends.filter((end) => end === 'token_replayed')).toHaveLength(11);
});

test('a token for one program runs no other one that hides in a file beside it', async () => {
  const sha256 = createHash('sha256').update(CODE).digest('hex');
  const token = () => stack().mint('', { claims: { sha256 } });
  expect(await outcome(token())).toBe('exited');
  expect(await outcome(token(), { files: [{ name: 'sys.py', content: 'print("other")' }] })).toBe('token_scope');
});
