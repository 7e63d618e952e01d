// Connections to Redis on ioredis, one server, Sentinel or Cluster alike: deadlines, jittered reconnects, and what is wrong at start.
import { Cluster, Redis as Single, type RedisCommander, type RedisOptions as ServerOptions } from 'ioredis';
import { backoffMs } from '@rungrid/kit/backoff';
import { ConfigError } from '@rungrid/kit/config';
import { withDeadline } from '@rungrid/kit/lifecycle';
import type { Logger } from '@rungrid/kit/logger';
import { parseRedisUrl, type RedisAddress, shownRedisUrl } from './url.js';

/** How long a server may take to accept a connection, ms. */
const CONNECT_TIMEOUT_MS = 5_000;
/** How long one command may take, ms, before it fails. Blocking reads have their own. */
const COMMAND_TIMEOUT_MS = 5_000;
/**
 * A connection that stays silent this long while a command waits is dead, ms. It is above the deadline of a command, so that only commands that
 * still have a caller are sent again. A failover is noticed this way, too, when the old master hangs instead of dying.
 */
const STALL_MS = 6_000;
/** The same for a blocking connection: above the longest BLOCK in use, 4 s. */
const BLOCKING_STALL_MS = 8_000;
/** Pause between two attempts to connect. */
const RECONNECT = { firstMs: 100, longestMs: 2_000 };
/** How long one sentinel may take to name the master, and one node the cluster's slots, ms, before the next one is asked. */
const LOOKUP_MS = 1_000;
/** Distinct connection errors kept since the last one that was reported. */
const MAX_ERRORS = 8;
/** How long Redis may take to answer at start, ms. */
const START_MS = 5_000;
/** Scripts say with flags that they may run without memory left: since Redis 7. */
const MIN_VERSION = 7;

/** Recent errors of each connection, for the message of a failed start. */
const recentErrors = new WeakMap<Redis, Set<string>>();

/**
 * What keeps one connection open: it connects again after ioredis has stopped trying, which is how ioredis rejects waiting commands, until the owner
 * disconnects. Between two attempts it holds commands for the next one. ioredis' own limit (maxRetriesPerRequest) would also reject what is
 * in flight when a connection breaks for a moment.
 */
class Reconnector {
  #held: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(client: Single | Cluster) {
    client.on('ready', () => {
      this.#failures = 0;
    });
    client.on('end', () => {
      if (this.#closed) return;
      this.#timer = setTimeout(
        () => {
          this.#timer = undefined;
          client.connect().catch(() => undefined);
          this.#release();
        },
        backoffMs((this.#failures += 1), RECONNECT),
      );
    });
  }

  /** Whether `send` is held until the next attempt; it is called then. */
  holds(send: () => void): boolean {
    if (this.#timer === undefined) return false;
    this.#held.push(send);
    return true;
  }

  /** The owner disconnects: what is held is sent, and so rejected. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#release();
  }

  #release(): void {
    for (const send of this.#held.splice(0)) send();
  }
}

/**
 * A connection to one server. After a reconnect it sends again only what is still waited for: a run that was refused because no answer came
 * must not be queued later.
 */
class Server extends Single {
  readonly #reconnector = new Reconnector(this);

  override sendCommand(...[command, stream]: Parameters<Single['sendCommand']>): unknown {
    if (command.isSettled) return command.promise;
    const send = () => super.sendCommand(command, stream);
    return this.#reconnector.holds(send) ? command.promise : send();
  }

  override disconnect(reconnect = false): void {
    super.disconnect(reconnect);
    if (!reconnect) this.#reconnector.close();
  }
}

/** The same to a cluster. */
class Nodes extends Cluster {
  readonly #reconnector = new Reconnector(this);

  override sendCommand(...args: Parameters<Cluster['sendCommand']>): unknown {
    const send = () => super.sendCommand(...args);
    return this.#reconnector.holds(send) ? args[0].promise : send();
  }

  override disconnect(reconnect = false): void {
    super.disconnect(reconnect);
    if (!reconnect) this.#reconnector.close();
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

/**
 * Opens a connection that reconnects until its owner calls `disconnect()`. While it is down, a command waits for the next attempt to connect and
 * is rejected when that fails, so that none pile up; on a blocking connection it waits until one succeeds. Throws ConfigError when the URL
 * has none of the forms.
 */
export function connectRedis(options: RedisOptions): Redis {
  const client = open(parseRedisUrl(options.url), options);
  const errors = new Set<string>();
  recentErrors.set(client, errors);
  const warn = (error: Error) => {
    if (errors.size < MAX_ERRORS) errors.add(error.message);
    options.logger.warn({ err: error.message, connection: options.name }, 'redis connection error');
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
      const messages = [error instanceof Error ? error.message : String(error), ...(recentErrors.get(redis) ?? [])];
      throw new ConfigError(startError(shown, [...new Set(messages)].join('; ')));
    },
  );
  const [, version = ''] = /^redis_version:(\S+)/m.exec(info) ?? [];
  if (Number.parseInt(version, 10) < MIN_VERSION)
    throw new ConfigError(`Redis at ${shown} is version ${version}: Rungrid needs ${MIN_VERSION}.0 or later`);
}

function startError(shown: string, message: string): string {
  if (/WRONGPASS|NOAUTH|NOPERM|invalid username-password/.test(message))
    return `Redis at ${shown} does not take the user and password of RUNGRID_REDIS_URL: put there those that it knows (${message})`;
  return `Redis does not answer at ${shown}: start it, or set RUNGRID_REDIS_URL (${message})`;
}

function open(address: RedisAddress, options: RedisOptions): Single | Cluster {
  switch (address.kind) {
    case 'single': {
      const { kind: _, target, ...credentials } = address;
      return new Server(target, { ...serverOptions(options), ...retryOptions(options), ...credentials });
    }
    case 'sentinel':
      return openBySentinel(address, options);
    case 'cluster':
      return openCluster(address, options);
  }
}

function openBySentinel(address: RedisAddress & { kind: 'sentinel' }, options: RedisOptions): Server {
  const { kind: _, sentinels, master, tls, ...masterOptions } = address;
  return new Server({
    ...serverOptions(options),
    ...retryOptions(options),
    ...masterOptions,
    sentinels: [...sentinels],
    name: master,
    sentinelCommandTimeout: LOOKUP_MS,
    // Called at the end of the list. The first time, those before the sentinel that answered last have not been asked yet.
    sentinelRetryStrategy: (times) =>
      times === 1 ? 0 : options.blocking === true ? backoffMs(times, RECONNECT) : null,
    ...(tls ? { tls: {}, enableTLSForSentinelMode: true, sentinelTLS: {} } : {}),
  });
}

function openCluster(address: RedisAddress & { kind: 'cluster' }, options: RedisOptions): Cluster {
  const { kind: _, nodes, tls, ...credentials } = address;
  return new Nodes([...nodes], {
    redisOptions: { ...serverOptions(options), ...credentials, ...(tls ? { tls: {} } : {}) },
    clusterRetryStrategy: (times) => (options.blocking === true || times === 1 ? backoffMs(times, RECONNECT) : null),
    slotsRefreshTimeout: LOOKUP_MS,
    // A certificate is for the name, not for what it resolves to.
    ...(tls ? { dnsLookup: (host, callback) => callback(null, host) } : {}),
  });
}

/** What every connection to a server has, whatever stands around the server. */
function serverOptions({ name, blocking = false }: RedisOptions) {
  return {
    connectionName: name,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // A peer that vanished silently would hold a blocking read for ever: reconnecting sends it again.
    ...(blocking
      ? { socketTimeout: BLOCKING_STALL_MS }
      : { socketTimeout: STALL_MS, commandTimeout: COMMAND_TIMEOUT_MS }),
    noDelay: true,
    keepAlive: 10_000,
  } satisfies ServerOptions;
}

/** How a connection to one server reconnects; a cluster reconnects its nodes by itself. */
function retryOptions({ blocking }: RedisOptions) {
  return {
    maxRetriesPerRequest: null,
    retryStrategy: (times) => (blocking === true || times === 1 ? backoffMs(times, RECONNECT) : null),
    // A master that has become a replica: the new one is found by connecting anew.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  } satisfies ServerOptions;
}
