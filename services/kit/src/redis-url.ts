// RUNGRID_REDIS_URL: what ioredis makes of it, and how it may be shown.

/** What to connect to. `target`: a redis:// URL, or the path of a unix socket. */
export interface RedisAddress {
  readonly target: string;
  /** ACL user and password of a unix socket; a redis:// URL carries its own. */
  readonly username?: string;
  readonly password?: string;
}

const UNIX = /^unix:\/\/(?:([^:@/]*):([^:@/]*)@)?(\/.+)$/;

/** Reads `redis[s]://[user:password@]host[:port][/db]` or `unix://[user:password@]/path`; user and password percent-encoded where need be. */
export function parseRedisUrl(url: string): RedisAddress {
  const unix = UNIX.exec(url);
  if (unix === null) return { target: url };
  const [, username, password, path = ''] = unix;
  if (username === undefined || password === undefined) return { target: path };
  return { target: path, username: decodeURIComponent(username), password: decodeURIComponent(password) };
}

/** The same without user and password: for messages and logs. */
export function shownRedisUrl(url: string): string {
  return url.replace(/^([a-z]+:\/\/)[^/@]*@/, '$1');
}

/** A unix:// or redis:// URL with this user and password in it, in place of those that it has. */
export function withCredentials(url: string, user: { readonly name: string; readonly password: string }): string {
  const credentials = `${encodeURIComponent(user.name)}:${encodeURIComponent(user.password)}@`;
  return shownRedisUrl(url).replace('://', `://${credentials}`);
}
