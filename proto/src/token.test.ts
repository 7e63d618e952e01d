// Tests of run tokens: form, signature, origin, window, claims.
import { createHmac } from 'node:crypto';
import { expect, test } from 'vitest';
import { checkToken, signToken, TOKEN_FUTURE_SKEW_MS, TOKEN_WINDOW_MS } from './token.js';

const NOW = 1_800_000_000_000;
const keys = new Map([
  ['new', 'key number two, the new'],
  ['old', 'key number one, the old'],
]);
const sign = (more: Partial<Parameters<typeof signToken>[0]> = {}) =>
  signToken({ keyId: 'new', key: 'key number two, the new', origin: 'https://a.test', nowMs: NOW, ...more });
const check = (token: string, more: { origin?: string; nowMs?: number } = {}) =>
  checkToken(token, { keys, origin: 'https://a.test', nowMs: NOW, ...more });

test('a token passes under any key of the ring, with its claims and a nonce of its own', () => {
  const claims = { languages: ['python'], limits: { wall_ms: 5 }, user: 'ann' };
  const [first, second] = [check(sign({ claims })), check(sign({ keyId: 'old', key: 'key number one, the old' }))];
  expect(first).toMatchObject({ ok: true, claims });
  expect(second).toMatchObject({ ok: true, claims: {} });
  expect(first.ok && second.ok && first.nonceKey !== second.nonceKey).toBe(true);
});

test('another origin, key, key id or a changed byte is invalid', () => {
  const token = sign();
  expect(check(token, { origin: '' })).toMatchObject({ ok: false, code: 'token_invalid' });
  expect(check(token, { origin: 'https://a.test/' })).toMatchObject({ ok: false });
  expect(check(sign({ key: 'something else entirely' }))).toMatchObject({ ok: false });
  expect(check(sign({ keyId: 'removed' }))).toMatchObject({ ok: false });
  expect(check(token.replace('.new.', '.old.'))).toMatchObject({ ok: false });
  for (let i = 0; i < token.length; i += 7) {
    const changed = `${token.slice(0, i)}${token[i] === 'a' ? 'b' : 'a'}${token.slice(i + 1)}`;
    expect(check(changed), `byte ${i}`).toMatchObject({ ok: false });
  }
});

test.each([
  '',
  '_',
  'timestamp_signature_string',
  '1.a.b_c',
  `${'9'.repeat(16)}.new.12345678_${'0'.repeat(64)}`,
  `1.new.12345678_${'0'.repeat(63)}`,
])('%j is malformed', (token) => expect(check(token)).toMatchObject({ ok: false, code: 'token_invalid' }));

test('it is good from a little before its time to the end of its window, and remembered for as long', () => {
  const token = sign();
  expect(check(token, { nowMs: NOW + TOKEN_WINDOW_MS })).toMatchObject({ ok: true });
  expect(check(token, { nowMs: NOW + TOKEN_WINDOW_MS + 1 })).toMatchObject({ ok: false, code: 'token_expired' });
  expect(check(token, { nowMs: NOW - TOKEN_FUTURE_SKEW_MS })).toMatchObject({ ok: true });
  expect(check(token, { nowMs: NOW - TOKEN_FUTURE_SKEW_MS - 1 })).toMatchObject({ ok: false, code: 'token_expired' });
  const early = check(token, { nowMs: NOW - 1000 });
  expect(early.ok && early.ttlMs > TOKEN_WINDOW_MS + 1000).toBe(true);
});

test('claims that are no claims are refused, though signed', () => {
  for (const text of ['[]', '5', '{"languages":"python"}', '{"sha256":"x"}', 'no json']) {
    const payload = `${NOW}.new.12345678.${Buffer.from(text).toString('base64url')}`;
    const signature = createHmac('sha256', 'key number two, the new')
      .update(`${payload}\nhttps://a.test`)
      .digest('hex');
    expect(check(`${payload}_${signature}`), text).toMatchObject({ ok: false, code: 'token_invalid' });
  }
});
