// Redis users: each service may give the commands that it gives, on this installation's keys, and nothing else (redis.io/docs, ACL).
import { createHash } from 'node:crypto';

export type RedisService = 'gateway' | 'worker';
/** `operator`: a person with redis-cli, or a test; may do everything. */
export type RedisUser = RedisService | 'operator';

/**
 * What a connection does before its first command, and the scripts. ioredis asks for INFO and CLIENT; HELLO carries the password. In a cluster
 * it asks which node has what, follows a slot that moves, and selects replica reads.
 */
const CONNECTION =
  'ping hello auth info select client|setname cluster|slots cluster|info asking readonly readwrite evalsha eval'.split(
    ' ',
  );

/** Commands by service: those of its code, and those of the Lua scripts that it runs, which count as its own. */
const COMMANDS: Readonly<Record<RedisService, readonly string[]>> = {
  // submit-run, cancel-run and requeue-run; then who holds a run; then its reply stream, and who is alive
  gateway:
    'get set incr pexpire pttl xlen xadd hget hset hincrby hdel del time xack xdel hmget xrange xread smembers mget srem'.split(
      ' ',
    ),
  // claim-run and notify-claim; then the queue and its pending entries; then its own announcement and the other workers';
  // then put-artifact and get-artifact
  worker:
    'xack xdel hget hmget hincrby hset time xadd pexpire xreadgroup xautoclaim xclaim xpending xgroup xinfo multi exec set sadd srem del exists get zadd zrem zrange hdel'.split(
      ' ',
    ),
};

/** Keys by user, behind `{PREFIX}:`. */
const KEYS: Readonly<Record<RedisService, readonly string[]>> = {
  gateway: [
    'nonce:*',
    'rate:*',
    'queue:*',
    'waiting:*',
    'pace:*',
    'run:*',
    'replies:*',
    'dead-letters',
    'workers',
    'worker:*',
  ],
  worker: [
    'queue:*',
    'waiting:*',
    'pace:*',
    'run:*',
    'replies:*',
    'workers',
    'worker:*',
    'artifact:*',
    'artifacts',
    'artifact-sizes',
  ],
};

/**
 * The text of an ACL file (`aclfile`), for Redis 7 or later. Passwords stand in it as SHA-256; the default user is off; `health` may PING
 * and nothing else, without a password. Redis 7.0 loads no transactions back from an AOF with these users (it asks the default user's permission);
 * persistence, where there is any, is RDB.
 */
export function redisAcl(options: {
  readonly passwords: Readonly<Record<RedisUser, string>>;
  /** RUNGRID_PREFIX; `*` on a Redis of its own. */
  readonly prefix: string;
}): string {
  const { passwords, prefix } = options;
  const service = (name: RedisService) => `user ${name} on #${sha256(passwords[name])} ${redisRules(name, prefix)}`;
  return [
    'user default off nopass resetkeys resetchannels -@all',
    'user health on nopass resetkeys resetchannels -@all +ping',
    `user operator on #${sha256(passwords.operator)} ~* &* +@all`,
    service('gateway'),
    service('worker'),
    '',
  ].join('\n');
}

/** Keys and commands of a service, as ACL SETUSER takes them. */
export function redisRules(service: RedisService, prefix: string): string {
  return [
    ...KEYS[service].map((key) => `~{${prefix}}:${key}`),
    'resetchannels -@all',
    // Once each: some belong to the connection and to the code.
    ...new Set([...CONNECTION, ...COMMANDS[service]].map((command) => `+${command}`)),
  ].join(' ');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
