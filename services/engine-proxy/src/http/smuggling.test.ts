// Requests that two parsers could read differently: the engine receives none of them, or exactly one that was rebuilt.
import { until } from '@rungrid/testkit/until';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { answerOf, type Bench, RawClient, startBench } from '../testkit/fake-engine.js';
import { IMAGE, sandboxBody } from '../testkit/sandbox-body.js';

const ID = 'c'.repeat(64);
const BODY = JSON.stringify(sandboxBody());
const CREATE = 'POST /containers/create?name=warm-c-00-19 HTTP/1.1\r\nHost: docker\r\n';
const ATTACH = `POST /containers/${ID}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: docker\r\n`;
const UPGRADE = 'Connection: Upgrade\r\nUpgrade: tcp\r\n';
const PING = 'GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n';
const SMUGGLED = 'POST /containers/prune HTTP/1.1\r\nHost: docker\r\nContent-Length: 0\r\n\r\n';

let bench: Bench;
const clients: RawClient[] = [];
beforeAll(async () => {
  bench = await startBench((head) => {
    if (head.startsWith('GET /images/')) return answerOf(200, { Id: IMAGE, RepoTags: ['rungrid/c:1'] });
    if (head.startsWith('POST /containers/create')) return answerOf(201, { Id: ID, Warnings: [] });
    if (head.startsWith('GET /_ping')) return answerOf(200, 'OK');
    return answerOf(404, { message: 'no such container' });
  });
});
afterEach(() => {
  bench.engine.seen = '';
  for (const client of clients.splice(0)) client.socket.destroy();
});
afterAll(() => bench.close());

/** Sends raw bytes; settles at the first whole answer, or when the proxy hangs up. */
async function send(bytes: string): Promise<RawClient> {
  const client = new RawClient(bench.socket);
  clients.push(client);
  client.socket.write(bytes, 'latin1');
  await until(() => client.ended || client.statuses.length > 0, { what: JSON.stringify(bytes.slice(0, 60)) });
  return client;
}

const length = (text: string) => `Content-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`;
const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`;

const REFUSED: readonly [string, number, string][] = [
  ['a chunked body', 403, `${CREATE}Transfer-Encoding: chunked\r\n\r\n${chunked(BODY)}`],
  ['length and chunks', 400, `${CREATE}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`],
  ['chunks and length', 400, `${CREATE}Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n${SMUGGLED}`],
  ['two lengths', 400, `${CREATE}Content-Length: 0\r\nContent-Length: 90\r\n\r\n${SMUGGLED}`],
  ['the same length twice', 400, `${CREATE}Content-Length: 0\r\nContent-Length: 0\r\n\r\n`],
  ['a list of lengths', 400, `${CREATE}Content-Length: 0, 90\r\n\r\n${SMUGGLED}`],
  ['a signed length', 400, `${CREATE}Content-Length: +0\r\n\r\n${SMUGGLED}`],
  ['a length in hex', 400, `${CREATE}Content-Length: 0x10\r\n\r\n${SMUGGLED}`],
  ['a length with a zero before it', 403, `${CREATE}Content-Length: 00\r\n\r\n`],
  ['an unknown coding', 403, `${CREATE}Transfer-Encoding: xchunked\r\n\r\n${SMUGGLED}`],
  ['chunks that are not last', 400, `${CREATE}Transfer-Encoding: chunked, identity\r\n\r\n${SMUGGLED}`],
  ['space before a colon', 400, `${CREATE}Transfer-Encoding : chunked\r\n\r\n${SMUGGLED}`],
  ['a folded line', 400, `${CREATE}X: a\r\n b\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`],
  ['a line end in a value', 400, `${CREATE}X: a\rTransfer-Encoding: chunked\r\n\r\n${SMUGGLED}`],
  ['a NUL in a value', 400, `${CREATE}X: a\0b\r\n\r\n`],
  ['no host', 403, 'GET /_ping HTTP/1.1\r\n\r\n'],
  ['HTTP/1.0', 403, 'GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n'],
  ['HTTP/0.9', 403, 'GET /_ping\r\n\r\n'],
  ['HTTP/2', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['an unknown method', 400, 'PRUNE /_ping HTTP/1.1\r\nHost: docker\r\n\r\n'],
  ['CONNECT', 403, 'CONNECT docker:80 HTTP/1.1\r\nHost: docker\r\n\r\n'],
  ['a whole URL', 403, 'GET http://docker/_ping HTTP/1.1\r\nHost: docker\r\n\r\n'],
  ['a body with a GET', 403, `GET /_ping HTTP/1.1\r\nHost: docker\r\n${length(SMUGGLED)}`],
  ['Expect: 100-continue', 403, `${CREATE}Expect: 100-continue\r\n${length(BODY)}`],
  ['another expectation', 403, `${CREATE}Expect: x\r\n${length(BODY)}`],
  ['a method that overrides', 403, `GET /_ping HTTP/1.1\r\nHost: docker\r\nX-HTTP-Method-Override: POST\r\n\r\n`],
  ['an upgrade of another call', 403, `GET /_ping HTTP/1.1\r\nHost: docker\r\n${UPGRADE}\r\n${SMUGGLED}`],
  ['an upgrade of what is no call', 403, `POST /grpc HTTP/1.1\r\nHost: docker\r\n${UPGRADE}\r\n`],
  ['an upgrade to HTTP/2', 403, `${ATTACH}Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n`],
  ['an attach without an upgrade', 403, `${ATTACH}Content-Length: 0\r\n\r\n`],
  ['an attach with a body', 403, `${ATTACH}${UPGRADE}${length(SMUGGLED)}`],
  ['an attach in chunks', 403, `${ATTACH}${UPGRADE}Transfer-Encoding: chunked\r\n\r\n${chunked(SMUGGLED)}`],
  ['an attach with bytes behind it', 403, `${ATTACH}${UPGRADE}Content-Length: 0\r\n\r\n${SMUGGLED}`],
  ['a body that is too large', 413, `${CREATE}Content-Length: 65537\r\n\r\n`],
  ['a head that is too large', 400, `${CREATE}X: ${'x'.repeat(5000)}\r\n\r\n`],
  ['what is not HTTP', 400, '\x16\x03\x01\x02\x00'],
];

describe('refused, without a byte to the engine', () => {
  it.each(REFUSED)('%s: %i', async (_what, status, bytes) => {
    const client = await send(bytes);
    expect(client.statuses).toEqual([status]);
    expect(client.received).toMatch(/\{"message":"engine proxy: [a-z_]+: /);
    expect(bench.engine.seen).toBe('');
  });
});

it('closes without an answer on a second request before the first answer', async () => {
  const client = await send(PING + PING);
  await until(() => client.ended);
  expect(client.statuses).toEqual([]);
  expect(bench.log()).toContain('"result":"pipelined"');
});

it('refuses an upgrade before the first answer', async () => {
  const client = await send(`${PING}${ATTACH}${UPGRADE}Content-Length: 0\r\n\r\n`);
  await until(() => client.ended);
  expect(client.received).not.toContain(' 101 ');
  expect(bench.engine.seen).not.toContain('attach');
});

it('serves requests in sequence on one connection', async () => {
  const client = await send(PING);
  client.socket.write(PING);
  await until(() => client.statuses.length === 2);
  expect(client.statuses).toEqual([200, 200]);
});

it('sends the engine only the checked parts of a request', async () => {
  const secret = 'X-Registry-Auth: c2VjcmV0\r\nCookie: a=b\r\nVia: 1.1 x\r\nConnection: keep-alive\r\n';
  await send(`GET /_ping HTTP/1.1\r\nHost: evil\r\n${secret}\r\n`);
  expect(bench.engine.seen).toBe('GET /_ping HTTP/1.1\r\nHost: docker\r\nConnection: keep-alive\r\n\r\n');
});

it('sends the engine a rebuilt create body', async () => {
  const doubled = BODY.replace('"Privileged":false', '"Privileged": true,\n"Privileged" : false');
  const client = await send(`${CREATE}Content-Type: text/plain\r\n${length(doubled)}`);
  expect(client.statuses).toEqual([201]);
  const [head, body] = bench.engine.seen.slice(bench.engine.seen.indexOf('POST')).split('\r\n\r\n');
  expect(head?.split('\r\n')).toEqual([
    'POST /containers/create?name=warm-c-00-19 HTTP/1.1',
    'Host: docker',
    'Content-Type: application/json',
    `Content-Length: ${BODY.length}`,
    'Connection: keep-alive',
  ]);
  expect(body).toBe(BODY);
});

it('counts and logs every refusal, with the client’s text escaped', async () => {
  await send('GET /build?x=%22%0a{"level":"info"} HTTP/1.1\r\nHost: docker\r\n\r\n');
  const text = await (await fetch(`${bench.metrics}/metrics`)).text();
  expect(text).toMatch(/rungrid_engine_proxy_requests_total\{call="none",result="not_allowed",[^}]*\} [1-9]/);
  expect(text).toMatch(/rungrid_engine_proxy_requests_total\{call="create",result="forwarded",[^}]*\} [1-9]/);
  for (const line of bench.log().trim().split('\n'))
    expect(JSON.parse(line)).toMatchObject({ service: 'engine-proxy' });
});
