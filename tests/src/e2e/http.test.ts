// The HTTP side: health, readiness, metrics, languages, the page.
import { expect, test } from 'vitest';
import { scrape } from '../testkit/metrics.js';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const stack = useStack();

test('hello has protocol, limits and languages, each with a program to start from', async () => {
  const client = await stack().connect();
  const hello = await client.hello();
  expect(hello.protocol).toBe(1);
  expect(hello.limits).toMatchObject({ frame_bytes: 262_144, code_bytes: 131_072 });
  const python = hello.languages.find((language) => language.name === 'python');
  expect(python?.version).toMatch(/3\.\d+/);
  expect(python?.hello).toMatch(/print/);
});

test('GET /healthz, /readyz, /v1/languages answer', async () => {
  const { url } = stack().gateway;
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  expect((await fetch(`${url}/readyz`)).status).toBe(200);
  const response = await fetch(`${url}/v1/languages`);
  expect(response.status).toBe(200);
  const body = (await response.json()) as { languages: { name: string }[] };
  expect(body.languages.map((language) => language.name)).toContain('python');
});

test('an unknown path is 404 with a code, a wrong method is no 200', async () => {
  const { url } = stack().gateway;
  const missing = await fetch(`${url}/v1/nothing`);
  expect(missing.status).toBe(404);
  expect(await missing.json()).toMatchObject({ error: { code: 'not_found' } });
  expect((await fetch(`${url}/v1/token`)).status).toBeGreaterThanOrEqual(400);
});

test.each([
  '/../../../etc/passwd',
  '/%2e%2e/%2e%2e/etc/passwd',
  '/..%2f..%2fpackage.json',
  '//etc/passwd',
  '/app.js%00.html',
])('no path leads out of the page’s folder: %s', async (path) => {
  const response = await fetch(`${stack().gateway.url}${path}`);
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(await response.text()).not.toMatch(/root:|"rungrid"/);
});

test('the page is served with a policy that lets no inline script run', async () => {
  const response = await fetch(`${stack().gateway.url}/`);
  expect(response.status).toBe(200);
  expect(response.headers.get('content-type')).toMatch(/text\/html/);
  const policy = response.headers.get('content-security-policy') ?? '';
  expect(policy).toMatch(/default-src 'self'|default-src 'none'/);
  expect(policy).not.toMatch(/script-src[^;]*unsafe-inline/);
  expect(response.headers.get('x-content-type-options')).toBe('nosniff');
});

test('metrics are on the internal ports only, and name every stage', async () => {
  const client = await stack().connect();
  await client.run('print(1)', 'python').exit();
  expect((await fetch(`${stack().gateway.url}/metrics`)).status).toBe(404);
  const gateway = await scrape(stack().gateway.internal);
  const worker = await scrape(stack().worker.metrics);
  expect(gateway.length).toBeGreaterThan(20);
  expect(worker.length).toBeGreaterThan(20);
});

test('the worker answers its operators', async () => {
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    await until(async () => (await fetch(`${stack().worker.metrics}${path}`)).status === 200, {
      what: `${path} to be 200`,
    });
  }
});
