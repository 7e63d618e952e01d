// RUNGRID_REDIS_URL: its forms, and the text that may be shown of it.
import { ConfigError } from '@rungrid/kit/config';

/** `[user:password@]` of every form, percent-encoded where need be. Both or neither. */
interface Credentials {
  readonly username?: string;
  readonly password?: string;
}

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** One server. `target`: a redis[s]:// URL, which carries its own user and password, or the path of a unix socket. */
interface SingleAddress extends Credentials {
  readonly kind: 'single';
  readonly target: string;
}

/** A master that these sentinels know by name. User and password are the master's; sentinels are asked without any. */
interface SentinelAddress extends Credentials {
  readonly kind: 'sentinel';
  readonly sentinels: readonly HostPort[];
  readonly master: string;
  readonly db: number;
  readonly tls: boolean;
}

/** A Redis Cluster, by some of its nodes; the others are found through these. */
interface ClusterAddress extends Credentials {
  readonly kind: 'cluster';
  readonly nodes: readonly HostPort[];
  readonly tls: boolean;
}

/** What to connect to. */
export type RedisAddress = SingleAddress | SentinelAddress | ClusterAddress;

/** How every form begins: for a configuration's schema. The rest is checked by parseRedisUrl(). */
export const REDIS_URL_PATTERN = String.raw`^(rediss?(\+(sentinel|cluster))?|unix)://`;

const CREDENTIALS = '(?:([^:@/]*):([^:@/]*)@)?';
const HOST_PORT = String.raw`(?:\[[0-9A-Fa-f:.]+\]|[^\s,:@/[\]]+):\d{1,5}`;
const NODES = `(${HOST_PORT}(?:,${HOST_PORT})*)`;
const UNIX = new RegExp(`^unix://${CREDENTIALS}(/.+)$`);
const SENTINEL = new RegExp(String.raw`^redis(s?)\+sentinel://${CREDENTIALS}${NODES}/([^\s/?#]+)(?:/(\d{1,5}))?$`);
const CLUSTER = new RegExp(String.raw`^redis(s?)\+cluster://${CREDENTIALS}${NODES}/?$`);

/**
 * Reads one of
 * `redis[s]://[user:password@]host[:port][/db]`, `unix://[user:password@]/path`,
 * `redis[s]+sentinel://[user:password@]host:port[,host:port…]/master-name[/db]`,
 * `redis[s]+cluster://[user:password@]host:port[,host:port…]`; the second `s` is for TLS.
 * Throws ConfigError, without the URL, when it is none of them.
 */
export function parseRedisUrl(url: string): RedisAddress {
  if (url.startsWith('unix://')) return unixAddress(url);
  if (/^rediss?\+sentinel:/.test(url)) return sentinelAddress(url);
  if (/^rediss?\+cluster:/.test(url)) return clusterAddress(url);
  return { kind: 'single', target: url };
}

/** The same without user, password and options: for messages and logs. */
export function shownRedisUrl(url: string): string {
  return withoutCredentials(url).replace(/\?.*$/s, '');
}

/** The same with this user and password in it, in place of those that it has. */
export function withCredentials(url: string, user: { readonly name: string; readonly password: string }): string {
  const credentials = `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@`;
  return withoutCredentials(url).replace('://', () => `://${credentials}`);
}

/** Up to the last `@`: a password that is not percent-encoded, as it should be, may have some of its own. */
function withoutCredentials(url: string): string {
  if (url.startsWith('unix:///')) return url;
  return url.replace(/^([a-z+]+:\/\/).*@/is, '$1');
}

function unixAddress(url: string): SingleAddress {
  const [, username, password, path = ''] = matched(UNIX, url, 'unix://[user:password@]/path');
  return { kind: 'single', target: path, ...credentials(username, password) };
}

function sentinelAddress(url: string): SentinelAddress {
  const form = 'redis[s]+sentinel://[user:password@]host:port[,host:port…]/master-name[/db]';
  const [, tls, username, password, hosts = '', master = '', db = '0'] = matched(SENTINEL, url, form);
  const found = { sentinels: hostPorts(hosts), master: decodeURIComponent(master), db: Number(db), tls: tls === 's' };
  return { kind: 'sentinel', ...found, ...credentials(username, password) };
}

function clusterAddress(url: string): ClusterAddress {
  const form = 'redis[s]+cluster://[user:password@]host:port[,host:port…] (a cluster has no db)';
  const [, tls, username, password, hosts = ''] = matched(CLUSTER, url, form);
  return { kind: 'cluster', nodes: hostPorts(hosts), tls: tls === 's', ...credentials(username, password) };
}

function matched(pattern: RegExp, url: string, form: string): RegExpExecArray {
  const match = pattern.exec(url);
  if (match === null) throw new ConfigError(`RUNGRID_REDIS_URL: is not of the form ${form}`);
  return match;
}

function credentials(username: string | undefined, password: string | undefined): Credentials {
  if (username === undefined || password === undefined) return {};
  // Without a name, the password is the default user's.
  const name = username === '' ? {} : { username: decodeURIComponent(username) };
  return { ...name, password: decodeURIComponent(password) };
}

function hostPorts(list: string): HostPort[] {
  return list.split(',').map((entry) => {
    const colon = entry.lastIndexOf(':');
    return { host: entry.slice(0, colon).replaceAll(/[[\]]/g, ''), port: Number(entry.slice(colon + 1)) };
  });
}
