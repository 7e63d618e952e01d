// Behavior of the real gateway process: what hostile frames, floods and HTTP requests get. The table of malformed frames: tests/src/e2e/violations.test.ts.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { until } from '@rungrid/testkit/until';
import { type Harness, startHarness } from './testkit/harness.js';
import { encodeFrame, PING, RawClient } from './testkit/raw-client.js';
import { script } from './testkit/script.js';

let harness: Harness;
let bystander: RawClient;
beforeAll(async () => {
  harness = await startHarness(script, {
    GATEWAY_SOCKETS_PER_ADDRESS: '20',
    GATEWAY_TOKENS_PER_ADDRESS: '12',
  });
});
afterEach(async () => harness.settle());
afterAll(async () => harness.stop());

async function alive(): Promise<void> {
  bystander = await harness.client();
  bystander.event('ping', { n: 1 });
  expect((await bystander.next('pong')).data).toEqual({ n: 1 });
}

test.each<[Record<string, unknown>, string]>([
  [{ language: '../../etc' }, 'unknown_language'],
  [{ language: 'py\r\nXADD x * a b\n' }, 'unknown_language'],
  [{ language: { $ne: 1 } }, 'invalid_frame'],
  [{ version: '9' }, 'unknown_version'],
  [{ code: 'x'.repeat(131_073) }, 'code_too_large'],
  [{ code: 5 }, 'invalid_frame'],
  [{ files: [{ name: '../x', content: '' }] }, 'invalid_frame'],
])('run_code with %j is refused with %s, and nothing reaches Redis', async (more, code) => {
  const before = await harness.redis.dbsize();
  const client = await harness.client();
  client.event('run_code', { code: 'wait', language: 'scripted', token: harness.token(), run: 'r', ...more });
  expect((await client.next('error')).data).toMatchObject({ code, run: 'r' });
  expect(await harness.redis.dbsize()).toBeLessThanOrEqual(before + 1);
});

test('versions: the first parts are enough', async () => {
  const client = await harness.client();
  client.event('run_code', { code: 'early exit', language: 'scripted', version: '1.2', token: harness.token() });
  await client.next('exit');
});

test('a thousand frames a second, text or ping, close with 4429 even unread', async () => {
  const client = await harness.client();
  client.raw(Buffer.concat(Array.from({ length: 1000 }, () => encodeFrame('{"event":"ping"}'))));
  expect(await client.closed()).toBe(4429);
  const pinger = await harness.client();
  pinger.raw(Buffer.concat(Array.from({ length: 1000 }, () => encodeFrame('p'.repeat(125), PING))));
  expect(await pinger.closed()).toBe(4429);
  await alive();
});

test('one address has so many sockets and no more', async () => {
  await until(async () => (await harness.metric('rungrid_gateway_sockets{')) === 0, {
    what: 'old sockets to be closed',
  });
  const clients: RawClient[] = [];
  for (let i = 0; i < 20; i++) clients.push(await harness.client());
  const late = await RawClient.open(harness.gateway.url);
  expect(await late.closed()).toBe(4429);
  clients[0]?.vanish();
  await until(async () => (await harness.metric('rungrid_gateway_sockets{')) < 20, { what: 'room' });
  await harness.client();
});

test('HTTP: health, languages, pages, and errors with the table’s status', async () => {
  const { url, internal } = harness.gateway;
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  expect((await fetch(`${internal}/readyz`)).status).toBe(200);
  expect(await (await fetch(`${url}/v1/languages`)).json()).toMatchObject({ languages: [{ name: 'scripted' }] });
  const page = await fetch(url);
  expect(page.status).toBe(200);
  expect(page.headers.get('content-security-policy')).toContain("script-src 'self'");
  expect(page.headers.get('x-content-type-options')).toBe('nosniff');
  const etag = page.headers.get('etag') ?? '';
  expect((await fetch(url, { headers: { 'if-none-match': etag } })).status).toBe(304);
  expect((await fetch(url, { method: 'HEAD' })).headers.get('content-length')).toBe(
    String((await page.arrayBuffer()).byteLength),
  );
  for (const path of ['/metrics', '/../package.json', '/%2e%2e/package.json', '/index.html/', '/ws']) {
    const answer = await fetch(`${url}${path}`);
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ error: { code: 'not_found' } });
  }
  expect((await fetch(`${url}/healthz`, { method: 'DELETE' })).status).toBe(405);
});

test('POST /v1/token: for allowed origins only, within a rate, and the token works', async () => {
  const { url } = harness.gateway;
  const mint = (init: RequestInit & { origin?: string } = {}) =>
    fetch(`${url}/v1/token`, {
      method: 'POST',
      ...init,
      headers: init.origin === undefined ? {} : { origin: init.origin },
    });
  expect((await mint()).status).toBe(403);
  expect((await mint({ origin: 'http://evil.test' })).status).toBe(403);
  expect((await mint({ origin: url, body: 'x'.repeat(9000) })).status).toBe(413);
  expect((await mint({ origin: url, body: '{"languages":5}' })).status).toBe(400);
  const preflight = await fetch(`${url}/v1/token`, { method: 'OPTIONS', headers: { origin: url } });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get('access-control-allow-origin')).toBe(url);
  const answer = await mint({ origin: url, body: '{"languages":["python"]}' });
  expect(answer.headers.get('access-control-allow-origin')).toBe(url);
  const { token, expires_at_ms: expiresAtMs } = (await answer.json()) as { token: string; expires_at_ms: number };
  expect(expiresAtMs).toBeGreaterThan(Date.now());
  const client = await harness.client(url);
  client.event('run_code', { code: 'early exit', language: 'scripted', token });
  expect((await client.next('error')).data['code']).toBe('token_scope');
  const last = await until(
    async () => {
      const tried = await mint({ origin: url });
      return tried.status === 429 && tried;
    },
    { what: 'the rate' },
  );
  expect(await last.json()).toMatchObject({ error: { code: 'rate_limited', retryable: true } });
});
