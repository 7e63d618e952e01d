// Behavior of the real gateway process over a real Redis and a scripted worker: the ways of a run.
import { createHash } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { until } from '@rungrid/testkit/until';
import { type Harness, startHarness } from './testkit/harness.js';
import { RawClient } from './testkit/raw-client.js';
import { FLOOD_BYTES, flooded, script } from './testkit/script.js';

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness(script, { GATEWAY_START_MS: '1000', GATEWAY_QUEUE_TTL_MS: '1500' });
});
afterEach(async () => harness.settle());
afterAll(async () => harness.stop());

function run(client: RawClient, code: string, more: Record<string, unknown> = {}): void {
  client.event('run_code', { code, language: 'scripted', token: harness.token(), ...more });
}
/** Events of one run in order, its terminal event last. */
async function finished(client: RawClient, name?: string): Promise<string[]> {
  await until(() => terminals(client, name).length > 0, { what: 'a terminal event' });
  return client.frames
    .filter((frame) => frame.data['run'] === name && frame.event !== 'hello')
    .map((frame) => frame.event);
}
function terminals(client: RawClient, name?: string) {
  return client.frames.filter(
    (frame) => (frame.event === 'exit' || frame.event === 'error') && frame.data['run'] === name,
  );
}
function runsOf(code: string) {
  return harness.worker.runs.filter((scripted) => scripted.request.code === code);
}

test('hello carries protocol, limits and languages', async () => {
  const client = await harness.client();
  const { data } = await client.next('hello');
  expect(data).toMatchObject({
    protocol: 1,
    limits: { frame_bytes: 262_144, runs_per_socket: 8 },
    languages: [{ name: 'scripted' }],
  });
});

test('the three literal frames of the protocol work', async () => {
  const client = await harness.client();
  client.text(JSON.stringify({ event: 'run_code', data: { code: 'greet', language: 'sc', token: harness.token() } }));
  expect((await client.next('stdout')).data['text']).toBe('Name: ');
  client.text('{"event":"stdin","data":{"text":"Rajesh\\n"}}');
  const exit = await client.next('exit');
  expect(client.output()).toBe('Name: Hello Rajesh\n');
  expect(exit.data).toEqual({
    code: 0,
    signal: null,
    reason: 'exited',
    usage: { wall_ms: 12, cpu_ms: 3, memory_bytes: 4096, output_bytes: 5 },
    truncated: false,
    seq: 4,
  });
  expect(await finished(client)).toEqual(['queued', 'started', 'stdout', 'stdout', 'exit']);
});

test('queued comes first, seq counts from 1, and text arrives unharmed', async () => {
  const client = await harness.client();
  for (let i = 0; i < 20; i++) {
    run(client, 'early exit', { run: `r${i}` });
    expect(await finished(client, `r${i}`)).toEqual(['queued', 'started', 'stdout', 'exit']);
  }
  const { data } = await client.next('stdout', { run: 'r7' });
  expect(data).toEqual({ text: 'é\u0000"\\\u2028', run: 'r7', seq: 2 });
});

test('compiler output comes without a start', async () => {
  const client = await harness.client();
  run(client, 'compiler');
  expect(await finished(client)).toEqual(['queued', 'compile', 'exit']);
});

test('stdin, signal and stdin_close that are sent before the start arrive in order', async () => {
  const client = await harness.client();
  run(client, 'wait', { run: 'order' });
  for (const text of ['a', 'b']) client.event('stdin', { run: 'order', text });
  client.event('signal', { run: 'order', name: 'SIGINT' });
  client.event('stdin', { run: 'order', text: 'c' });
  client.event('stdin_close', { run: 'order' });
  client.event('stdin', { run: 'order', text: 'ignored' });
  const scripted = await until(
    () => runsOf('wait').find((one) => one.inputs.some(({ $case }) => $case === 'stdinClose')),
    { what: 'the inputs' },
  );
  expect(scripted.stdin).toBe('abc');
  expect(scripted.inputs.map(({ $case }) => $case).filter(($case) => $case !== 'stdin')).toEqual([
    'signal',
    'stdinClose',
  ]);
  client.event('stop', { run: 'order' });
  expect((await client.next('exit', { run: 'order' })).data).toMatchObject({ reason: 'stopped', code: null });
});

test('stdin past its bound is refused whole, before and after the start, and kept up to it', async () => {
  const client = await harness.client();
  await harness.worker.pause();
  run(client, 'wait', { run: 'full' });
  await client.next('queued', { run: 'full' });
  client.event('stdin', { run: 'full', text: 'a'.repeat(60_000) });
  client.event('stdin', { run: 'full', text: 'b'.repeat(6000) });
  expect((await client.next('error', { run: 'full' })).data['code']).toBe('stdin_full');
  harness.worker.resume();
  await client.next('started', { run: 'full' });
  const from = client.frames.length;
  for (let i = 0; i < 4; i++) client.event('stdin', { run: 'full', text: 'c'.repeat(60_000) });
  await client.next('error', { run: 'full', from });
  const scripted = await until(() => runsOf('wait').find((one) => one.stdin.length >= 240_000), { what: 'the run' });
  expect(scripted.stdin).toBe('a'.repeat(60_000) + 'c'.repeat(180_000));
  // What the program has read makes room again.
  scripted.send({ $case: 'stdinConsumed', value: 240_000 });
  const { length } = client.frames;
  client.event('ping', 1);
  await client.next('pong', { from: length });
  client.event('stdin', { run: 'full', text: 'd' });
  await until(() => scripted.stdin.endsWith('d'), { what: 'more stdin' });
  client.event('stop', { run: 'full' });
  await client.next('exit', { run: 'full' });
});

test('a queued run that is stopped ends as stopped and never reaches a worker', async () => {
  const client = await harness.client();
  await harness.worker.pause();
  run(client, 'wait', { run: 'q' });
  await client.next('queued', { run: 'q' });
  client.event('stop', { run: 'q' });
  const exit = await client.next('exit', { run: 'q' });
  expect(exit.data).toMatchObject({ reason: 'stopped', code: null, usage: { wall_ms: 0, memory_bytes: 0 }, seq: 1 });
  harness.worker.resume();
  expect(await harness.redis.xlen(harness.keys.queue('scripted'))).toBe(0);
});

test('a run that no worker takes ends with queue_timeout', async () => {
  const client = await harness.client();
  await harness.worker.pause();
  run(client, 'wait');
  expect((await client.next('error')).data).toMatchObject({ code: 'queue_timeout', retryable: true });
  harness.worker.resume();
  expect(await finished(client)).toEqual(['queued', 'error']);
});

test.each([
  ['lost before start', 'poison'],
  ['lost after start', 'worker_lost'],
  ['no sandbox', 'start_failed'],
  ['never starts', 'start_failed'],
  ['gap', 'worker_lost'],
])('%s: one terminal event, %s', async (code, expected) => {
  const client = await harness.client();
  run(client, code);
  expect((await client.next('error')).data).toMatchObject({ code: expected, retryable: expected !== 'poison' });
  expect(terminals(client)).toHaveLength(1);
  expect(client.output()).not.toContain('c');
});

test('a repeated event is dropped', async () => {
  const client = await harness.client();
  run(client, 'repeat');
  await client.next('exit');
  expect(client.output()).toBe('ab');
});

test('names: a second live one is refused, many live side by side, an ended one may be used again', async () => {
  const client = await harness.client();
  run(client, 'wait', { run: 'a' });
  run(client, 'wait');
  run(client, 'greet', { run: 'a' });
  expect((await client.next('error', { run: 'a' })).data['code']).toBe('run_in_progress');
  run(client, 'greet');
  expect((await until(() => terminals(client)[0], { what: 'the second error' })).data['code']).toBe('run_in_progress');
  for (let i = 0; i < 6; i++) run(client, 'wait', { run: `n${i}` });
  await until(() => client.frames.filter(({ event }) => event === 'started').length === 8, { what: 'eight runs' });
  run(client, 'wait', { run: 'ninth' });
  expect((await client.next('error', { run: 'ninth' })).data['code']).toBe('too_many_runs');
  client.event('stop', { run: 'a' });
  await client.next('exit', { run: 'a' });
  const from = client.frames.length;
  client.event('stdin', { run: 'a', text: 'late' });
  client.event('stop', { run: 'a' });
  client.event('stdin', { run: 'never', text: 'x' });
  expect((await client.next('error', { from })).data).toMatchObject({ code: 'no_such_run', run: 'never' });
  run(client, 'early exit', { run: 'a' });
  await client.next('exit', { run: 'a', from });
});

test('a client that vanishes: its runs are stopped at once, queued ones are cancelled', async () => {
  const client = await harness.client();
  run(client, 'wait', { run: 'lost' });
  await client.next('started', { run: 'lost' });
  const scripted = runsOf('wait').at(-1);
  await harness.worker.pause();
  run(client, 'wait', { run: 'queued' });
  await client.next('queued', { run: 'queued' });
  client.vanish();
  await until(() => scripted?.inputs.some((input) => input.$case === 'stop' && input.value.disconnected), {
    what: 'the stop',
  });
  await until(async () => (await harness.redis.xlen(harness.keys.queue('scripted'))) === 0, { what: 'the cancel' });
});

test('a reader that stops: its worker is held back, a co-tenant on the same worker does not notice, then all arrives', async () => {
  const slow = await harness.client();
  const coTenant = await harness.client();
  run(slow, 'flood');
  await slow.next('started');
  slow.pause();
  const scripted = runsOf('flood').at(-1);
  const sent = () => flooded.get(scripted?.request.run ?? '') ?? 0;
  let last = -1;
  await until(
    async () => {
      const before = last;
      last = sent();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return before === last && last > 0;
    },
    { what: 'the worker to be held back' },
  );
  expect(sent()).toBeLessThan(FLOOD_BYTES);
  for (let i = 0; i < 10; i++) {
    run(coTenant, 'early exit', { run: `n${i}` });
    await coTenant.next('exit', { run: `n${i}` });
  }
  expect(slow.closeCode).toBeUndefined();
  slow.resume();
  await slow.next('exit', { timeoutMs: 20_000 });
  expect(slow.output()).toHaveLength(FLOOD_BYTES);
});

test('tokens: each works once, for its origin, language and code, in its window', async () => {
  const client = await harness.client();
  const token = harness.token();
  run(client, 'early exit', { run: 'one', token });
  await client.next('exit', { run: 'one' });
  const sha256 = createHash('sha256').update('other').digest('hex');
  const bad: [string, string][] = [
    ['token_replayed', token],
    ['token_invalid', 'timestamp_signature_string'],
    ['token_expired', harness.token({ nowMs: Date.now() - 400_000 })],
    ['token_scope', harness.token({ claims: { languages: ['python'] } })],
  ];
  for (const [code, value] of bad) {
    run(client, 'early exit', { run: code, token: value });
    expect((await client.next('error', { run: code })).data['code']).toBe(code);
  }
  run(client, 'early exit', { run: 'fifth', token: harness.token({ claims: { sha256 } }) });
  expect(await client.closed()).toBe(4401);
  const other = await harness.client();
  run(other, 'early exit', { run: 'x', token: harness.token({ origin: 'http://evil.test' }) });
  expect((await other.next('error')).data['code']).toBe('token_invalid');
  const page = await harness.client(harness.gateway.url);
  run(page, 'early exit', { token: harness.token({ origin: harness.gateway.url }) });
  await page.next('exit');
});

test('limits: the lower one of the token and the request reaches the worker', async () => {
  const client = await harness.client();
  const token = harness.token({ claims: { limits: { wall_ms: 500, cpu_ms: 900 } } });
  run(client, 'wait', { token, limits: { wall_ms: 1000, cpu_ms: 100 } });
  await client.next('started');
  expect(runsOf('wait').at(-1)?.request.limits).toEqual({ wall_ms: 500, cpu_ms: 100 });
  client.event('stop', {});
  await client.next('exit');
});

test('a fresh gateway with its own id shares the queue, and SIGTERM ends it with draining, 1012 and 0', async () => {
  const second = await harness.startGateway({ GATEWAY_DRAIN_MS: '200' });
  const client = await RawClient.open(second.url);
  run(client, 'wait');
  await client.next('started');
  const scripted = runsOf('wait').at(-1);
  const code = second.stop();
  await client.next('draining');
  run(client, 'wait', { run: 'late' });
  expect((await client.next('error', { run: 'late' })).data['code']).toBe('draining');
  expect(await client.closed()).toBe(1012);
  expect(await code).toBe(0);
  expect(scripted?.inputs.some((input) => input.$case === 'leave')).toBe(true);
});

test('nothing of a run is in the logs', () => {
  const output = harness.gateway.output();
  expect(output).not.toMatch(/Rajesh|early exit|Name: /);
});

test('a gateway whose secret is refused says so once, its runs end truthfully, and the other one goes on', async () => {
  const secret = 'not-the-secret-of-the-scripted-worker';
  const refused = await harness.startGateway({ RUNGRID_GRPC_SECRET: secret });
  const client = await RawClient.open(refused.url);
  for (const name of ['one', 'two']) {
    run(client, 'greet', { run: name });
    expect((await client.next('error', { run: name })).data).toMatchObject({ code: 'worker_lost' });
  }
  client.vanish();
  const warnings = refused
    .output()
    .split('\n')
    .filter((line) => line.includes('RUNGRID_GRPC_SECRET'));
  expect(warnings).toHaveLength(1);
  expect(await refused.stop()).toBe(0);
  expect(refused.output()).not.toContain(secret);
  const other = await harness.client();
  run(other, 'early exit');
  expect(await finished(other)).toEqual(['queued', 'started', 'stdout', 'exit']);
});
