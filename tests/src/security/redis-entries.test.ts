// Hostile entries in Redis: a queue, a reply stream or an announcement that says anything kills neither worker nor gateway.
import { describe, expect, test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const stack = useStack();
const key = (name: string) => `{${stack().prefix}}:${name}`;

async function expectService(): Promise<void> {
  const client = await stack().connect();
  const run = client.run('print("served")', 'python');
  expect(await run.exit()).toMatchObject({ reason: 'exited', code: 0 });
  expect(run.stdout).toBe('served\n');
  await client.close();
}

const REQUEST = {
  run: 'run-unknown',
  key: 'k'.repeat(22),
  gateway: 'gateway-unknown',
  language: 'python',
  code: 'print("must not be seen")',
  files: [],
  args: [],
  limits: {},
  accepted_us: 1,
};
const request = (more: Record<string, unknown>) => JSON.stringify({ ...REQUEST, ...more });

describe('an entry of the queue is dropped, and the next run is served, when it', () => {
  test.each([
    ['is of a run that is not registered', ['request', request({})]],
    ['has no request', ['something', 'else']],
    ['has a field without a name', ['', '']],
    ['is not JSON', ['request', '{']],
    ['is nested deep', ['request', '['.repeat(50_000)]],
    ['changes prototypes', ['request', `{"__proto__":${request({})},"constructor":{"prototype":{"run":1}}}`]],
    ['is for another language', ['request', request({ language: 'bash' })]],
    ['has a run that is a path', ['request', request({ run: '../../etc' })]],
    ['has a file outside of /tmp', ['request', request({ files: [{ name: '../x', content: '' }] })]],
    ['has more arguments than a sandbox takes', ['request', request({ args: Array(60).fill('a'.repeat(4096)) })]],
    ['has an argument with a NUL', ['request', request({ args: ['a\0b'] })]],
    ['has a program of megabytes', ['request', request({ code: 'x'.repeat(3 << 20) })]],
    ['has limits below nothing', ['request', request({ limits: { wall_ms: -1 } })]],
    ['has a time beyond all clocks', ['request', request({ accepted_us: 9e15 })]],
  ])('%s', async (_what, fields) => {
    const { client } = stack().redis;
    await client.xadd(key('queue:python'), '*', ...fields);
    await until(async () => (await client.xlen(key('queue:python'))) === 0, { what: 'the entry to be dropped' });
    await expectService();
  });
});

test('a queue of another type, and none, are put right', async () => {
  const { client } = stack().redis;
  await client.del(key('queue:python'));
  await expectService();
  await client.set(key('queue:python'), 'a string');
  const session = await stack().connect();
  const refused = await session.run('print(1)', 'python').error(40_000);
  expect(refused.retryable).toBe(true);
  await client.del(key('queue:python'));
  await expectService();
});

test('malformed or foreign claims on the reply stream cost at most the run that they name', async () => {
  const { client } = stack().redis;
  const session = await stack().connect();
  const lives = session.run('print("up", flush=True)\ninput()', 'python');
  await lives.output('up');
  const [replies = ''] = await client.keys(key('replies:*'));
  const claim = (more: Record<string, string>) =>
    Object.entries({ run: 'unknown1', epoch: '1', worker: 'w', address: '127.0.0.1:1', ...more }).flat();
  for (const fields of [
    ['x', 'y'],
    ['run', '__proto__', 'epoch', 'NaN'],
    claim({ epoch: '-1' }),
    claim({ epoch: '99999999999999999999' }),
    claim({ run: 'constructor' }),
    claim({ address: 'http://[::' }),
    claim({ address: `unix:///${'x'.repeat(100_000)}` }),
  ])
    await client.xadd(replies, '*', ...fields);
  await expectService();
  lives.stdin('\n');
  expect(await lives.exit()).toMatchObject({ reason: 'exited', code: 0 });

  const named = session.run('print("up", flush=True)\ninput()', 'python');
  await named.output('up');
  const runs = await client.keys(key('run:*'));
  for (const run of runs.map((name) => name.split(':').at(-1) ?? ''))
    await client.xadd(replies, '*', ...claim({ run, epoch: '7' }));
  await expectService();
  named.stop();
  // Exactly one end, whichever: the handle's rules see to that.
  await named.end();
});

test('announcements of workers that are not, with languages that are not, do not reach visitors', async () => {
  const { client } = stack().redis;
  const evil = {
    name: '__proto__',
    title: 't',
    version: 'v',
    mode: 'warm',
    aliases: ['python'],
    file_name: 'f',
    hello: 'h',
  };
  const info = { id: 'evil-worker', grpc: '127.0.0.1:1', metrics: '', pid: 1, draining: false, languages: [evil] };
  for (const [id, text] of [
    ['evil-one1', '{'],
    ['evil-two2', JSON.stringify({ ...info, languages: 'python' })],
    ['evil-three', JSON.stringify({ ...info, grpc: 'http://evil/' })],
    ['evil-worker', JSON.stringify(info)],
  ] as const) {
    await client.sadd(key('workers'), id);
    await client.set(key(`worker:${id}`), text, 'PX', 20_000);
  }
  await until(async () => (await fetch(`${stack().gateway.url}/readyz`)).status === 200, { what: 'ready' });
  for (let i = 0; i < 3; i++) await expectService();
  const session = await stack().connect();
  expect((await session.hello()).languages.map(({ name }) => name)).toEqual(['python']);
});
