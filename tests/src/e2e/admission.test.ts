// Who may run what: tokens, origins. Every way in which a token is refused: security/tokens, and proto/src/token.test.ts.
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { KEYS, ORIGIN } from '../testkit/stack.js';
import { useStack } from '../testkit/use-stack.js';

const CODE = 'print("ran")';
const stack = useStack({ languages: ['python', 'bash'] });

async function refusal(token: string, options: { origin?: string; code?: string; language?: string } = {}) {
  const client = await stack().connect(options.origin === undefined ? {} : { origin: options.origin });
  const run = client.run(options.code ?? CODE, options.language ?? 'python', { token });
  const end = await run.end();
  await client.close();
  return end.event === 'error' ? end.data.code : end.data.reason;
}

describe('a token', () => {
  test('works once', async () => {
    const token = stack().mint('');
    expect(await refusal(token)).toBe('exited');
    expect(await refusal(token)).toBe('token_replayed');
  });

  test('used twice at the same moment works once', async () => {
    const token = stack().mint('');
    const results = await Promise.all([refusal(token), refusal(token), refusal(token)]);
    expect(results.sort()).toEqual(['exited', 'token_replayed', 'token_replayed']);
  });

  test('of any key of the ring works', async () => {
    expect(await refusal(stack().mint('', { keyId: 'second', key: KEYS.second }))).toBe('exited');
  });

  test('for exactly this code and language works', async () => {
    const sha256 = createHash('sha256').update(CODE).digest('hex');
    expect(await refusal(stack().mint('', { claims: { sha256, languages: ['python'] } }))).toBe('exited');
  });

  test('lowers limits', async () => {
    const client = await stack().connect();
    const token = stack().mint('', { claims: { limits: { output_bytes: 10 } } });
    const run = client.run("while True: print('x')", 'python', { token, limits: { output_bytes: 500 } });
    expect(await run.exit()).toMatchObject({ reason: 'output_limit' });
    expect(run.stdout.length).toBe(10);
  });

  test('of a page works on that page', async () => {
    const client = await stack().connect({ origin: ORIGIN });
    expect(await client.run(CODE, 'python').exit()).toMatchObject({ code: 0 });
  });

  test('without an origin does not work on a page', async () => {
    expect(await refusal(stack().mint(''), { origin: ORIGIN })).toBe('token_invalid');
  });

  test('that was refused for its language is not spent', async () => {
    const token = stack().mint('');
    expect(await refusal(token, { language: 'cobol' })).toBe('unknown_language');
    expect(await refusal(token)).toBe('exited');
  });
});

describe('POST /v1/token', () => {
  const post = (headers: Record<string, string>) =>
    fetch(`${stack().gateway.url}/v1/token`, { method: 'POST', headers });

  test('mints for an allowed origin a token that works there', async () => {
    const response = await post({ origin: ORIGIN });
    expect(response.status).toBe(200);
    const { token } = (await response.json()) as { token: string };
    expect(await refusal(token, { origin: ORIGIN })).toBe('exited');
  });

  test('mints nothing for another origin, or none', async () => {
    for (const headers of [{ origin: 'https://evil.test' }, {}] as Record<string, string>[]) {
      const response = await post(headers);
      expect(response.status).toBe(403);
      expect(await response.json()).toMatchObject({ error: { code: 'origin_denied' } });
    }
  });
});
