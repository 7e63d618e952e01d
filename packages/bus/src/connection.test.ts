// Start-up errors for a Redis that cannot be used; over real servers: topologies.redis.test.ts.
import { expect, test } from 'vitest';
import { ConfigError } from '@rungrid/kit/config';
import { checkRedis, type Redis } from './connection.js';

const URL = 'redis+sentinel://worker:secret@one:1/main';

function redisThat(info: () => Promise<string>): Redis {
  return { info } as Partial<Redis> as Redis;
}

test.each([
  ['7.0.15', undefined],
  ['8.2.0', undefined],
  ['6.2.14', 'Redis at redis+sentinel://one:1/main is version 6.2.14: Rungrid needs 7.0 or later'],
])('version %s', async (version, fault) => {
  const checked = checkRedis(
    redisThat(async () => `# Server\r\nredis_version:${version}\r\nredis_mode:standalone\r\n`),
    URL,
  );
  if (fault === undefined) await expect(checked).resolves.toBeUndefined();
  else await expect(checked).rejects.toEqual(new ConfigError(fault));
});

test.each([
  ['WRONGPASS invalid username-password pair or user is disabled.', /does not take the user and password of RUNGRID_/],
  ["NOPERM this user has no permissions to run the 'info' command", /does not take the user and password of RUNGRID_/],
  ['connect ECONNREFUSED 127.0.0.1:1', /does not answer at redis\+sentinel:\/\/one:1\/main: start it, or set RUNGRID_/],
])('%s is answered with what to do', async (message, said) => {
  const checked = checkRedis(
    redisThat(() => Promise.reject(Object.assign(new Error(message), { command: { args: ['secret'] } }))),
    URL,
  );
  await expect(checked).rejects.toThrow(said);
  await expect(checked).rejects.not.toHaveProperty('cause');
});
