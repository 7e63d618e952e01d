// A private Redis on a free port, without persistence, and what a test asks it.
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { Redis } from 'ioredis';
import { ServiceProcess } from './service-process.js';

export interface PrivateRedis {
  readonly url: string;
  readonly client: Redis;
  readonly process: ServiceProcess;
  /** Entries still in run queues, or delivered and not acknowledged; one line each. */
  queueLeaks(prefix: string): Promise<string[]>;
  close(): Promise<void>;
}

export async function startRedis(): Promise<PrivateRedis> {
  const port = await freePort();
  const server = new ServiceProcess(
    ['redis-server', '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
    { name: 'redis', env: {} },
  );
  await server.line(/Ready to accept connections/);
  const url = `redis://127.0.0.1:${port}`;
  const client = new Redis(url, { connectionName: 'testkit' });
  return {
    url,
    client,
    process: server,
    queueLeaks: (prefix) => queueLeaks(client, prefix),
    close: async () => {
      client.disconnect();
      await server.stop();
    },
  };
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
