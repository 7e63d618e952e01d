// Connections to Redis on ioredis, one server, Sentinel or Cluster alike: deadlines, jittered reconnects, and what is wrong at start.
import { Cluster, Redis as Single, type RedisCommander, type RedisOptions as ServerOptions } from 'ioredis';
import { ConfigError } from '@rungrid/kit/config';
import { withDeadline } from '@rungrid/kit/lifecycle';
import type { Logger } from '@rungrid/kit/logger';
import { parseRedisUrl, type RedisAddress, shownRedisUrl } from './url.js';

/** How long a server may take to accept a connection, ms. */
const CONNECT_TIMEOUT_MS = 5_000;
/** How long one command may take, ms, before it is given up. Blocking reads have their own. */
const COMMAND_TIMEOUT_MS = 5_000;
/**
 * A connection that says nothing for so long while a command waits is dead, ms: above the deadline of a command, so that what is sent again
 * on the next one is what may still be waited for. A failover to another server is found in this way too when the old one is only mute.
 */
const STALL_MS = 6_000;
/** The same for a blocking connection: above the longest BLOCK in use, 4 s. */
const BLOCKING_STALL_MS = 8_000;
/** Longest pause between two tries to connect, ms. */
const MAX_RECONNECT_MS = 2_000;
/** How long one sentinel may take to name the master, and one node the cluster's slots, ms, before the next one is asked. */
const LOOKUP_MS = 1_000;
/** Different messages kept of what went wrong since the last try, to tell of them to whom they cost a command. */
const MAX_FAULTS = 8;
/** How long Redis may take to answer at start, ms. */
const START_MS = 5_000;
/** Scripts say with flags that they may run without memory left: since Redis 7. */
const MIN_VERSION = 7;

/** Sends again on the next connection only what is still waited for: a run that was refused for want of an answer is not queued later. */
class Server extends Single {
  override sendCommand(...[command, stream]: Parameters<Single['sendCommand']>): unknown {
    return command.isSettled ? command.promise : super.sendCommand(command, stream);
  }
}

/** A connection, whatever it is to: every command, and how it is closed. Keys of one command, script or transaction share a hash tag. */
export interface Redis
  extends RedisCommander<{ type: 'default'; mapping: 'resp2' }>,
    Pick<Single, 'multi' | 'defineCommand' | 'disconnect'> {
  /** `ready`: commands go out at once. */
  readonly status: string;
}

export interface RedisOptions {
  /** RUNGRID_REDIS_URL, in any of its forms: redis-url.ts. */
  readonly url: string;
  readonly logger: Logger;
  /** CLIENT SETNAME: who is who in CLIENT LIST. */
  readonly name: string;
  /** For XREAD … BLOCK of 4 s at most: a deadline on silence instead of one on the command, no pipelining with others. Default false. */
  readonly blocking?: boolean;
}

interface Opening extends RedisOptions {
  readonly faults: Set<string>;
}

/**
 * Opens a connection. It reconnects by itself; while it is down, a command fails with the next failed try to connect, so that none queue up
 * (a blocking one waits). The owner closes it with `disconnect()`. Throws ConfigError when the URL has none of the forms.
 */
export function connectRedis(options: RedisOptions): Redis {
  const address = parseRedisUrl(options.url);
  const faults = new Set<string>();
  const client = open(address, { ...options, faults });
  const warn = (error: Error) => {
    if (isNoFault(error)) return;
    if (faults.size < MAX_FAULTS) faults.add(error.message);
    options.logger.warn({ err: error.message, connection: options.name }, 'redis');
  };
  client.on('error', warn);
  client.on('node error', warn);
  return client;
}

/**
 * Resolves when Redis answers and is recent enough. Rejects with ConfigError, which says what to do and never has a password in it;
 * `url` is the connection's.
 */
export async function checkRedis(redis: Redis, url: string): Promise<void> {
  const shown = shownRedisUrl(url);
  const info = await withDeadline(redis.info('server'), { timeoutMs: START_MS, what: 'Redis' }).catch(
    (error: unknown) => {
      // Not as the cause: ioredis' error has the command with it, so the password.
      throw new ConfigError(startFault(shown, error instanceof Error ? error.message : String(error)));
    },
  );
  const [, version = ''] = /^redis_version:(\S+)/m.exec(info) ?? [];
  if (Number.parseInt(version, 10) < MIN_VERSION)
    throw new ConfigError(`Redis at ${shown} is version ${version}: Rungrid needs ${MIN_VERSION}.0 or later`);
}

function startFault(shown: string, message: string): string {
  if (/WRONGPASS|NOAUTH|NOPERM|invalid username-password/.test(message))
    return `Redis at ${shown} does not take the user and password of RUNGRID_REDIS_URL: put there those that it knows (${message})`;
  return `Redis does not answer at ${shown}: start it, or set RUNGRID_REDIS_URL (${message})`;
}

function open(address: RedisAddress, options: Opening): Single | Cluster {
  switch (address.kind) {
    case 'single':
      return openSingle(address, options);
    case 'sentinel':
      return openBySentinel(address, options);
    case 'cluster':
      return openCluster(address, options);
  }
}

function openSingle(address: RedisAddress & { kind: 'single' }, options: Opening): Server {
  const { kind: _, target, ...credentials } = address;
  const redis: Server = new Server(target, {
    ...serverOptions(options),
    ...credentials,
    ...reconnecting(() => failWaiting(redis, { options, why: 'Redis cannot be reached' })),
  });
  return redis;
}

function openBySentinel(address: RedisAddress & { kind: 'sentinel' }, options: Opening): Server {
  const { kind: _, sentinels, master, tls, ...masterOptions } = address;
  const redis: Server = new Server({
    ...serverOptions(options),
    ...masterOptions,
    ...reconnecting(() => failWaiting(redis, { options, why: `the master ${master} cannot be reached` })),
    sentinels: [...sentinels],
    name: master,
    sentinelCommandTimeout: LOOKUP_MS,
    // Called at the end of the list of sentinels. The first time in a search, those before the one that answered last are still to be asked.
    sentinelRetryStrategy: (times) => {
      if (times === 1) return 0;
      failWaiting(redis, { options, why: `no sentinel answers, or none knows the master ${master}` });
      return reconnectMs(times);
    },
    ...(tls ? { tls: {}, enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  });
  return redis;
}

function openCluster(address: RedisAddress & { kind: 'cluster' }, options: Opening): Cluster {
  const { kind: _, nodes, tls, ...credentials } = address;
  const cluster = new Cluster([...nodes], {
    redisOptions: { ...serverOptions(options), ...credentials, ...(tls ? { tls: {} } : {}) },
    clusterRetryStrategy: reconnectMs,
    slotsRefreshTimeout: LOOKUP_MS,
    // A certificate is for the name, not for what it resolves to.
    ...(tls ? { dnsLookup: (host, callback) => callback(null, host) } : {}),
  });
  // No node is connected any more, or none could be.
  cluster.on('close', () => failWaiting(cluster, { options, why: 'no node of the cluster can be used' }));
  return cluster;
}

/** ioredis says this at the end of the list of sentinels also when it has not asked all of them in this search. */
function isNoFault(error: Error): boolean {
  return error.message.startsWith('All sentinels are unreachable. Retrying from scratch after 0ms.');
}

/** What every connection to a server has, whatever stands around the server. */
function serverOptions({ name, blocking = false }: RedisOptions) {
  return {
    connectionName: name,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A peer that vanished without a word would hold a blocking read for ever: reconnecting sends it again.
    ...(blocking
      ? { socketTimeout: BLOCKING_STALL_MS }
      : { socketTimeout: STALL_MS, commandTimeout: COMMAND_TIMEOUT_MS }),
    noDelay: true,
    keepAlive: 10_000,
  } satisfies ServerOptions;
}

/** Of a connection to one server, which reconnects by itself; a cluster's nodes are reconnected by the cluster. */
function reconnecting(onFailedTry: () => void) {
  return {
    // ioredis' own way to fail what waits counts tries, and cannot do so with each failed one without also failing what is under way
    // when a connection is lost.
    maxRetriesPerRequest: null,
    retryStrategy: (times) => {
      if (times > 1) onFailedTry();
      return reconnectMs(times);
    },
    // A master that has become a replica: the new one is found by connecting anew.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  } satisfies ServerOptions;
}

function reconnectMs(times: number): number {
  return Math.min(MAX_RECONNECT_MS, 50 * 2 ** Math.min(times, 6)) * (0.5 + Math.random() / 2);
}

/** Fails the commands that wait for a connection, but blocking ones. ioredis has a method for it, of no public type. */
function failWaiting(client: Single | Cluster, { options, why }: { options: Opening; why: string }): void {
  const message = [why, ...options.faults].join('; ');
  options.faults.clear();
  if (options.blocking !== true)
    (client as unknown as { flushQueue(error: Error): void }).flushQueue(new Error(message));
}
