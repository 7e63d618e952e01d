// A private Redis on a free port, without persistence and with its users as they are in production, and what a test asks it.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { redisAcl, type RedisUser } from '@rungrid/bus/acl';
import { withCredentials } from '@rungrid/bus/url';
import { Redis } from 'ioredis';
import { ServiceProcess } from './service-process.js';

/** What it saves, in its folder. */
const SAVED_FILE = 'saved.rdb';

export interface PrivateRedis {
  /** For one of the users, in the way of RUNGRID_REDIS_URL. */
  urlOf(user: RedisUser): string;
  /** Without a user. */
  readonly url: string;
  /** May do everything. */
  readonly client: Redis;
  /** The server that runs now. */
  readonly process: ServiceProcess;
  /** Writes all that it holds to its file, which nothing else does. */
  save(): Promise<void>;
  /** SIGKILL, waited for. */
  kill(): Promise<void>;
  /** After `kill`: another server on the same port, with what was saved last or with nothing. */
  start(options: { data: 'saved' | 'none' }): Promise<void>;
  /** Entries still in run queues, or delivered and not acknowledged; one line each. */
  queueLeaks(prefix: string): Promise<string[]>;
  close(): Promise<void>;
}

export async function startRedis(prefix: string): Promise<PrivateRedis> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'rungrid-redis-'));
  const aclFile = join(folder, 'users.acl');
  const passwords = { gateway: secret(), worker: secret(), operator: secret() };
  writeFileSync(aclFile, redisAcl({ passwords, prefix }));
  const start = async () => {
    const server = redisServer({ port, folder, aclFile });
    await server.line(/Ready to accept connections/);
    return server;
  };
  let server = await start();
  const url = `redis://127.0.0.1:${port}`;
  const urlOf = (name: RedisUser) => withCredentials(url, { name, password: passwords[name] });
  const client = new Redis(urlOf('operator'), { connectionName: 'testkit' });
  // While the server restarts, connections are refused.
  client.on('error', () => undefined);
  return {
    url,
    urlOf,
    client,
    get process() {
      return server;
    },
    save: async () => {
      await client.save();
    },
    kill: async () => {
      server.signal('SIGKILL');
      await server.exited;
    },
    start: async ({ data }) => {
      if (data === 'none') rmSync(join(folder, SAVED_FILE), { force: true });
      server = await start();
    },
    queueLeaks: (queues) => queueLeaks(client, queues),
    close: async () => {
      client.disconnect();
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function redisServer({ port, folder, aclFile }: { port: number; folder: string; aclFile: string }): ServiceProcess {
  const settings = {
    port: String(port),
    bind: '127.0.0.1',
    save: '',
    appendonly: 'no',
    aclfile: aclFile,
    dir: folder,
    dbfilename: SAVED_FILE,
  };
  const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value]);
  return new ServiceProcess(['redis-server', ...options], { name: 'redis', env: {} });
}

function secret(): string {
  return randomBytes(16).toString('hex');
}

async function queueLeaks(client: Redis, prefix: string): Promise<string[]> {
  const leaks: string[] = [];
  for (const key of await client.keys(`{${prefix}}:queue:*`)) {
    const length = await client.xlen(key);
    if (length > 0) leaks.push(`${key} holds ${length} entries`);
    const groups = (await client.xinfo('GROUPS', key)) as (string | number)[][];
    for (const group of groups) {
      const pending = Number(group[group.indexOf('pending') + 1]);
      if (pending > 0) leaks.push(`${key} has ${pending} pending entries`);
    }
  }
  return leaks;
}

/** A port that was free a moment ago. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}
