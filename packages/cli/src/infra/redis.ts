// Finds the Redis of RUNGRID_REDIS_URL, or starts a private one on a unix socket in the state folder, with a user per service.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkRedis, connectRedis } from '@rungrid/bus/connection';
import { redisAcl, type RedisService, type RedisUser } from '@rungrid/bus/acl';
import { shownRedisUrl, withCredentials } from '@rungrid/bus/url';
import { createLogger } from '@rungrid/kit/logger';
import { CliError, messageOf } from '../errors.js';
import { startService } from '../exec.js';
import { ensureSecret } from '../keys.js';
import type { Paths } from '../paths.js';
import { isAlive, type ProcessRef } from '../process-ref.js';
import { say, step } from '../progress.js';
import { readState, updateState } from '../state.js';
import { requireProgram } from './apt.js';

const START_TIMEOUT_MS = 15_000;

const INSTALL = {
  programs: ['redis-server', 'valkey-server'],
  packages: ['redis-server'],
  otherwise: 'Rungrid needs Redis 7 or later (or Valkey): install it, or point RUNGRID_REDIS_URL at one.',
};

export interface RedisState {
  /** As given; a private one's with the operator's name and password. */
  readonly url: string;
  /** The process; present when this installation started it and stops it. */
  readonly process?: ProcessRef;
}

/** The Redis to use: RUNGRID_REDIS_URL, a running private one, else a new private one. Records it. The caller holds the lock. */
export async function ensureRedis(paths: Paths): Promise<RedisState> {
  const redis = await findOrStart(paths);
  updateState(paths, (state) => ({ ...state, redis }));
  return redis;
}

/** RUNGRID_REDIS_URL of a service; a private Redis has a user for each. */
export function redisUrlOf(
  service: RedisService,
  options: { readonly redis: RedisState; readonly paths: Paths },
): string {
  const { redis, paths } = options;
  if (redis.process === undefined) return redis.url;
  return privateUrl(redis.url, { user: service, paths });
}

function privateUrl(url: string, options: { user: RedisUser; paths: Paths }): string {
  return withCredentials(url, { name: options.user, password: password(options.user, options.paths) });
}

function password(user: RedisUser, paths: Paths): string {
  return ensureSecret(`redis-${user}`, paths);
}

/** Only the program, for tests that start their own server. */
export function requireRedisServer(paths: Paths): Promise<string> {
  return requireProgram(INSTALL, paths);
}

async function findOrStart(paths: Paths): Promise<RedisState> {
  const given = process.env['RUNGRID_REDIS_URL'];
  if (given !== undefined && given !== '') {
    await checkAnswers(given);
    say('  Redis: RUNGRID_REDIS_URL');
    return { url: given };
  }
  const ours = readState(paths).redis;
  if (ours?.process !== undefined && isAlive(ours.process)) {
    say(`  Redis: private, already running (${shownRedisUrl(ours.url)})`);
    return ours;
  }
  const program = await requireRedisServer(paths);
  const dir = join(paths.state, 'redis');
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const socket = join(paths.run, 'redis.sock');
  const aclFile = join(dir, 'users.acl');
  const passwords = {
    gateway: password('gateway', paths),
    worker: password('worker', paths),
    operator: password('operator', paths),
  };
  return step('starting a private Redis', async () => {
    // Only this installation uses it, whatever its prefix.
    writeFileSync(aclFile, redisAcl({ passwords, prefix: '*' }), { mode: 0o600 });
    const { process: ref } = await startService({
      paths,
      name: 'redis',
      command: [
        program,
        // A socket in a private folder: no port that other users of the machine can reach, and less latency than TCP.
        ...settings({ port: '0', unixsocket: socket, unixsocketperm: '600' }),
        // Queued runs live for seconds: nothing is worth a disk write, and nothing may be evicted.
        ...settings({ save: '', appendonly: 'no', maxmemory: '512mb', 'maxmemory-policy': 'noeviction' }),
        ...settings({ dir, aclfile: aclFile, daemonize: 'no' }),
      ],
      env: process.env,
      ready: (log) => (/ready to accept connections/i.test(log) ? true : undefined),
      timeoutMs: START_TIMEOUT_MS,
    });
    return { url: privateUrl(`unix://${socket}`, { user: 'operator', paths }), process: ref };
  });
}

function settings(values: Readonly<Record<string, string>>): string[] {
  return Object.entries(values).flatMap(([name, value]) => [`--${name}`, value]);
}

async function checkAnswers(url: string): Promise<void> {
  const redis = connectRedis({ url, name: 'rungrid-cli', logger: createLogger({ service: 'cli', level: 'silent' }) });
  try {
    await checkRedis(redis, url);
  } catch (error) {
    throw new CliError(`${messageOf(error)}. Unset RUNGRID_REDIS_URL to start a private one.`, { cause: error });
  } finally {
    redis.disconnect();
  }
}
