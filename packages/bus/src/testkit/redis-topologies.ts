// One server, a master with a replica and a sentinel, and a cluster of three, each of a test's own and with the users of production.
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { redisAcl, type RedisUser } from '../acl.js';
import { withCredentials } from '../url.js';
import { freePort, RedisServer, type RedisServerOptions } from './redis-server.js';
import { until } from '@rungrid/testkit/until';

/** How long a server may be silent before its sentinel, or its cluster, takes it for dead, ms. */
const DOWN_AFTER_MS = 1000;
/** A sentinel whose failover came to nothing tries again after twice this, ms. */
const FAILOVER_TIMEOUT_MS = 1000;
const NODES = 3;
/** A cluster or a replica is there within 5 s, and other tests run beside. */
const WAIT_MS = 30_000;
const PASSWORDS = { gateway: 'gateway secret', worker: 'worker secret', operator: 'operator-secret' };

export interface Topology {
  /** Those with data: the master first, where there is one. */
  readonly servers: readonly RedisServer[];
  /** These, and the sentinel, in the order in which they start. */
  readonly all: readonly RedisServer[];
  /** For one of the users, in the way of RUNGRID_REDIS_URL. */
  urlOf(user: RedisUser): string;
  close(): Promise<void>;
}

/** `prefix`: RUNGRID_PREFIX. */
export async function startSingle(prefix: string): Promise<Topology> {
  const server = await RedisServer.start(withUsers(prefix));
  return topology([server], { url: `redis://${server.address}` });
}

/** The sentinel alone decides: a quorum of one. */
export async function startSentinel(prefix: string): Promise<Topology> {
  const operator = ['--masteruser', 'operator', '--masterauth', PASSWORDS.operator];
  const master = await RedisServer.start(withUsers(prefix, [...operator, '--repl-diskless-sync-delay', '0']));
  const replicaOf = ['--replicaof', `127.0.0.1 ${master.port}`];
  const replica = await RedisServer.start(withUsers(prefix, [...operator, ...replicaOf]));
  await until(async () => (await redisCli(replica, ['INFO', 'replication'])).includes('master_link_status:up'), {
    what: 'the replica to have what its master has',
    timeoutMs: WAIT_MS,
  });
  const sentinel = await RedisServer.start({
    args: ({ folder }) => [sentinelConfig(folder, master), '--sentinel'],
    ready: /\+slave slave/,
  });
  const url = `redis+sentinel://${sentinel.address}/main`;
  return topology([master, replica], { url, others: [sentinel] });
}

/** Three masters without replicas. */
export async function startCluster(prefix: string): Promise<Topology> {
  const servers = await Promise.all(
    Array.from({ length: NODES }, async () => {
      const busPort = await freePort();
      const cluster = ['--cluster-enabled', 'yes', '--cluster-node-timeout', `${DOWN_AFTER_MS}`];
      return {
        busPort,
        server: await RedisServer.start(withUsers(prefix, [...cluster, '--cluster-port', `${busPort}`])),
      };
    }),
  );
  const nodes = servers.map(({ server, busPort }) => `${server.address}@${busPort}`);
  const started = servers.map(({ server }) => server);
  const [first] = started as [RedisServer];
  await redisCli(first, ['--cluster', 'create', ...nodes, '--cluster-yes']);
  for (const server of started) {
    await until(async () => (await redisCli(server, ['CLUSTER', 'INFO'])).includes('cluster_state:ok'), {
      what: 'the cluster to stand',
      timeoutMs: WAIT_MS,
    });
  }
  // One is enough to find the others; one that is away does no harm.
  const seeds = [`127.0.0.1:${await freePort()}`, first.address];
  return topology(started, { url: `redis+cluster://${seeds.join(',')}` });
}

/** The server of a cluster that has a key. */
export async function serverOf(cluster: Topology, key: string): Promise<RedisServer> {
  for (const server of cluster.servers) if ((await redisCli(server, ['EXISTS', key])).trim() === '1') return server;
  throw new Error(`no node has ${key}`);
}

/** Waits until the replica has what its master has. */
export async function replicated({ servers: [master, replica] }: Topology): Promise<void> {
  const offset = async (server: RedisServer | undefined) =>
    server && /master_repl_offset:\d+/.exec(await redisCli(server, ['INFO', 'replication']))?.[0];
  await until(async () => (await offset(master)) === (await offset(replica)), {
    what: 'the replica to be level',
    timeoutMs: WAIT_MS,
  });
}

/** What a server answers to its operator. */
export async function redisCli(server: RedisServer, args: readonly string[]): Promise<string> {
  const user = ['--user', 'operator', '--pass', PASSWORDS.operator, '--no-auth-warning'];
  const { stdout } = await promisify(execFile)('redis-cli', ['-p', `${server.port}`, ...user, ...args]);
  return stdout;
}

function topology(
  servers: readonly RedisServer[],
  { url, others = [] }: { url: string; others?: readonly RedisServer[] },
): Topology {
  const all = [...servers, ...others];
  return {
    servers,
    all,
    urlOf: (name) => withCredentials(url, { name, password: PASSWORDS[name] }),
    close: async () => {
      await Promise.all(all.map((server) => server.close()));
    },
  };
}

function withUsers(prefix: string, args: readonly string[] = []): RedisServerOptions {
  return {
    args: ({ folder }) => {
      const file = join(folder, 'users.acl');
      writeFileSync(file, redisAcl({ passwords: PASSWORDS, prefix }));
      return ['--aclfile', file, ...args];
    },
  };
}

function sentinelConfig(folder: string, master: RedisServer): string {
  const file = join(folder, 'sentinel.conf');
  const lines = [
    `sentinel monitor main 127.0.0.1 ${master.port} 1`,
    'sentinel auth-user main operator',
    `sentinel auth-pass main ${PASSWORDS.operator}`,
    `sentinel down-after-milliseconds main ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout main ${FAILOVER_TIMEOUT_MS}`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}
