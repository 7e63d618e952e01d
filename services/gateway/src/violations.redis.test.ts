// Behavior of the real gateway process: every violation gets its documented answer, and costs nobody else anything.
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { until } from '@rungrid/testkit/until';
import { type Harness, startHarness } from './testkit/harness.js';
import { BINARY, encodeFrame, PING, RawClient } from './testkit/raw-client.js';
import { script } from './testkit/script.js';

let harness: Harness;
let bystander: RawClient;
beforeAll(async () => {
  harness = await startHarness(script, {
    GATEWAY_FIRST_FRAME_MS: '3000',
    GATEWAY_IDLE_MS: '2000',
    GATEWAY_SOCKETS_PER_ADDRESS: '20',
    GATEWAY_TOKENS_PER_ADDRESS: '12',
    GATEWAY_RUNS_PER_ADDRESS: '40',
  });
});
afterEach(async () => harness.settle());
afterAll(async () => harness.stop());

async function alive(): Promise<void> {
  bystander = await harness.client();
  bystander.event('ping', { n: 1 });
  expect((await bystander.next('pong')).data).toEqual({ n: 1 });
}

test.each<[string, string, number]>([
  ['not JSON', 'hello', 4400],
  ['empty', '', 4400],
  ['an array', '[]', 4400],
  ['null', 'null', 4400],
  ['no event', '{"data":{}}', 4400],
  ['an event that is no name', '{"event":5}', 4400],
  ['nested too deep', `{"event":"ping","data":${'['.repeat(9)}${']'.repeat(9)}}`, 4400],
  ['nested far too deep', '['.repeat(100_000), 4400],
  ['somewhat too large', JSON.stringify({ event: 'ping', data: 'x'.repeat(262_144) }), 4413],
])('%s closes the socket with its code', async (_, text, code) => {
  const client = await harness.client();
  client.text(text);
  expect(await client.closed()).toBe(code);
  await alive();
});

test('a binary frame closes with 4400; invalid UTF-8 and a frame far too large just close', async () => {
  const binary = await harness.client();
  binary.raw(encodeFrame(new Uint8Array(64), BINARY));
  expect(await binary.closed()).toBe(4400);
  const invalid = await harness.client();
  invalid.raw(encodeFrame(Uint8Array.from([0xc3, 0x28, 0xff])));
  await invalid.closed();
  const huge = await harness.client();
  huge.raw(encodeFrame('x'.repeat(3_000_000)));
  await huge.closed();
  await alive();
});

test.each<[string, unknown, string]>([
  ['unknown event', { event: 'drop_tables' }, 'unknown_event'],
  ['an event of Object.prototype', { event: 'constructor', data: {} }, 'unknown_event'],
  ['stdin for nobody', { event: 'stdin', data: { text: 'x' } }, 'no_such_run'],
  ['stdin without text', { event: 'stdin', data: {} }, 'invalid_frame'],
  ['a signal off the list', { event: 'signal', data: { name: 'SIGSEGV' } }, 'invalid_frame'],
  ['a run name off the alphabet', { event: 'stop', data: { run: 'a b' } }, 'invalid_frame'],
])('%s gets one error event, and the socket lives', async (_, frame, code) => {
  const client = await harness.client();
  client.text(JSON.stringify(frame));
  expect((await client.next('error')).data['code']).toBe(code);
  client.event('ping', null);
  await client.next('pong');
});

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

test('an origin off the list is let in and closed with 4403', async () => {
  const client = await RawClient.open(harness.gateway.url, { Origin: 'http://evil.test' });
  expect(client.head).toContain('101');
  expect(await client.closed()).toBe(4403);
  expect(client.frames).toEqual([]);
});

test('the subprotocol is chosen when offered, and compression never', async () => {
  const client = await RawClient.open(harness.gateway.url, {
    'Sec-WebSocket-Protocol': 'x, rungrid.v1',
    'Sec-WebSocket-Extensions': 'permessage-deflate',
  });
  expect(client.head.toLowerCase()).toContain('sec-websocket-protocol: rungrid.v1');
  expect(client.head).not.toContain('deflate');
  client.vanish();
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
  await until(async () => (await harness.metric('rungrid_gateway_sockets{')) === 0, { what: 'old sockets to be gone' });
  const clients: RawClient[] = [];
  for (let i = 0; i < 20; i++) clients.push(await harness.client());
  const late = await RawClient.open(harness.gateway.url);
  expect(await late.closed()).toBe(4429);
  clients[0]?.vanish();
  await until(async () => (await harness.metric('rungrid_gateway_sockets{')) < 20, { what: 'room' });
  await harness.client();
});

test('a socket without a frame closes with 4408, one that says nothing more with 4409', async () => {
  const [silent, idle] = [await harness.client(), await harness.client()];
  idle.event('ping', 1);
  expect(await idle.closed()).toBe(4409);
  expect(await silent.closed()).toBe(4409);
});

test('runs of one address are rate limited over all its sockets', async () => {
  const client = await harness.client();
  for (let i = 0; i < 60 && client.frames.every(({ event }) => event !== 'error'); i++) {
    client.event('run_code', { code: 'early exit', language: 'scripted', token: harness.token(), run: `r${i}` });
    await until(
      () => client.frames.find(({ event, data }) => (event === 'exit' || event === 'error') && data['run'] === `r${i}`),
      { what: 'an end' },
    );
  }
  const { data } = await client.next('error');
  expect(data).toMatchObject({ code: 'rate_limited', retryable: true });
  expect(data['retry_after_ms']).toBeGreaterThan(0);
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
