// What the Redis users may and may not do, on a real Redis. That they may do all that the services do, every test over a stack shows.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '@rungrid/kit/logger';
import { redisAcl, redisRules } from './acl.js';
import { connectRedis, type Redis } from './connection.js';

const passwords = { gateway: 'gateway secret', worker: 'worker secret', operator: 'operator secret' };
const logger = createLogger({ service: 'test', level: 'silent' });
const clients: Redis[] = [];
let folder: string;
let server: ReturnType<typeof spawn>;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rungrid-acl-'));
  writeFileSync(join(folder, 'users.acl'), redisAcl({ passwords, prefix: 'mine' }));
  const socket = ['--port', '0', '--unixsocket', join(folder, 'redis.sock')];
  server = spawn('redis-server', [...socket, '--save', '', '--aclfile', join(folder, 'users.acl')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(server.stdout as NodeJS.ReadableStream)) {
    if (line.includes('eady to accept connections')) break;
  }
});
afterAll(async () => {
  for (const client of clients) client.disconnect();
  server.kill();
  await once(server, 'exit');
  rmSync(folder, { recursive: true, force: true });
});

function as(user: string, password: string): Redis {
  const url = `unix://${user}:${encodeURIComponent(password)}@${join(folder, 'redis.sock')}`;
  const client = connectRedis({ url, logger, name: 'test' });
  clients.push(client);
  return client;
}

const gateway = () => as('gateway', passwords.gateway);
const worker = () => as('worker', passwords.worker);
const refused = /NOPERM/;

test.each<[string, (redis: Redis) => Promise<unknown>]>([
  ['another installation’s keys', (redis) => redis.xlen('{other}:queue:python')],
  ['keys of no user', (redis) => redis.set('key', 'value')],
  ['reading all keys', (redis) => redis.keys('*')],
  ['the whole data', (redis) => redis.flushall()],
  ['the configuration', (redis) => redis.config('GET', 'dir')],
  ['the users', (redis) => redis.call('ACL', 'LIST')],
  ['loading code', (redis) => redis.call('MODULE', 'LIST')],
  ['becoming a replica', (redis) => redis.replicaof('NO', 'ONE')],
  ['other clients', (redis) => redis.client('LIST')],
  ['the same from a script', (redis) => redis.eval("return redis.call('KEYS', '*')", 0)],
])('neither service gets at %s', async (_, attempt) => {
  for (const redis of [gateway(), worker()])
    await expect(attempt(redis)).rejects.toThrow(/NOPERM|permission|can't run/);
});

test('a gateway takes no runs, and a worker spends no tokens', async () => {
  await expect(gateway().xreadgroup('GROUP', 'workers', 'me', 'STREAMS', '{mine}:queue:python', '>')).rejects.toThrow(
    refused,
  );
  await expect(gateway().set('{mine}:run:1', 'x')).resolves.toBe('OK');
  await expect(worker().set('{mine}:nonce:1', 'x')).rejects.toThrow(refused);
});

test('refuses connections without a password, with a wrong one, and as the default user', async () => {
  const url = `unix://${join(folder, 'redis.sock')}`;
  const anonymous = connectRedis({ url, logger, name: 'test' });
  clients.push(anonymous);
  await expect(anonymous.get('{mine}:nonce:1')).rejects.toThrow(/NOAUTH|NOPERM|Authentication/);
  await expect(as('worker', 'guess').ping()).rejects.toThrow(/WRONGPASS|NOAUTH|closed/);
});

test('the operator may look at everything, and the file holds no password', async () => {
  await expect(as('operator', passwords.operator).keys('*')).resolves.toEqual(['{mine}:run:1']);
  const text = redisAcl({ passwords, prefix: 'mine' });
  expect(Object.values(passwords).filter((password) => text.includes(password))).toEqual([]);
});

test('docker-compose.yml gives Redis the same users, in a form that it takes', async () => {
  const compose = readFileSync(new URL('../../../docker-compose.yml', import.meta.url), 'utf8');
  const [, command = ''] = /command: >-\n((?: {6}.*\n)+)/.exec(compose) ?? [];
  for (const service of ['gateway', 'worker'] as const) expect(command).toContain(redisRules(service, 'rungrid'));
  const given = command.replaceAll(
    /\$\{RUNGRID_REDIS_(\w+)_PASSWORD:[^}]*\}/g,
    (_, user: string) => `${user.toLowerCase()}-secret`,
  );
  const [program = '', ...args] = given
    .trim()
    .split(/\s+/)
    .map((word) => (word === "''" ? '' : word));
  const socket = join(folder, 'compose.sock');
  const composed = spawn(program, [...args, '--port', '0', '--unixsocket', socket], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(composed, 'exit');
  try {
    for await (const line of createInterface(composed.stdout)) if (line.includes('eady to accept')) break;
    const open = (user: string, password: string) => {
      const client = connectRedis({ url: `unix://${user}:${password}@${socket}`, logger, name: 'test' });
      clients.push(client);
      return client;
    };
    await expect(open('gateway', 'gateway-secret').xlen('{rungrid}:queue:c')).resolves.toBe(0);
    await expect(open('worker', 'worker-secret').get('{rungrid}:nonce:1')).rejects.toThrow(refused);
    await expect(open('default', 'x').ping()).rejects.toThrow();
  } finally {
    composed.kill();
    await ended;
  }
});
