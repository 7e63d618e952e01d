// Rules of RUNGRID_REDIS_URL.
import { expect, test } from 'vitest';
import { ConfigError } from '@rungrid/kit/config';
import { parseRedisUrl, REDIS_URL_PATTERN, shownRedisUrl, withCredentials } from './url.js';

const one = [{ host: 'one', port: 7000 }];

test.each([
  ['unix:///run/redis.sock', { kind: 'single', target: '/run/redis.sock' }],
  [
    'unix://worker:a%40b@/run/redis.sock',
    { kind: 'single', target: '/run/redis.sock', username: 'worker', password: 'a@b' },
  ],
  ['redis://worker:secret@host:6380/1', { kind: 'single', target: 'redis://worker:secret@host:6380/1' }],
  ['redis+sentinel://one:7000/main', { kind: 'sentinel', sentinels: one, master: 'main', db: 0, tls: false }],
  [
    'rediss+sentinel://worker:a%2Fb@one:7000,[::1]:7001/main/3',
    {
      kind: 'sentinel',
      sentinels: [...one, { host: '::1', port: 7001 }],
      master: 'main',
      db: 3,
      tls: true,
      username: 'worker',
      password: 'a/b',
    },
  ],
  ['redis+cluster://one:7000', { kind: 'cluster', nodes: one, tls: false }],
  [
    'rediss+cluster://:secret@one:7000,two.example:7001/',
    { kind: 'cluster', nodes: [...one, { host: 'two.example', port: 7001 }], tls: true, password: 'secret' },
  ],
])('%s is read as it is meant', (url, expected) => {
  expect(parseRedisUrl(url)).toEqual(expected);
  expect(url).toMatch(new RegExp(REDIS_URL_PATTERN));
});

test.each([
  'redis+sentinel://u:secret@one:7000',
  'redis+sentinel://u:secret@one/main',
  'redis+sentinel://u:secret@one:7000/main/db',
  'redis+cluster://u:secret@one',
  'redis+cluster://u:secret@one:7000/1',
  'redis+cluster://u:secret@',
  'unix://u:secret@run',
])('%s is refused with the form that it should have, and without itself', (url) => {
  expect(() => parseRedisUrl(url)).toThrow(ConfigError);
  expect(() => parseRedisUrl(url)).toThrow(/is not of the form (redis\[s\]\+|unix)/);
  expect(() => parseRedisUrl(url)).not.toThrow(/secret/);
});

test.each([
  ['unix:///run/redis.sock', 'unix:///run/redis.sock'],
  ['unix:///run/a@b.sock', 'unix:///run/a@b.sock'],
  ['unix://worker:secret@/run/redis.sock', 'unix:///run/redis.sock'],
  ['rediss://worker:secret@host:6380/1', 'rediss://host:6380/1'],
  ['redis://:secret@host', 'redis://host'],
  ['redis://host/1?password=secret', 'redis://host/1'],
  ['redis://worker:sec/ret@secret@host', 'redis://host'],
  ['redis+sentinel://worker:secret@one:1,two:2/main', 'redis+sentinel://one:1,two:2/main'],
  ['rediss+cluster://worker:secret@one:1,two:2', 'rediss+cluster://one:1,two:2'],
])('%s is shown as %s', (url, shown) => {
  expect(shownRedisUrl(url)).toBe(shown);
});

test('credentials are put in, and survive the way back', () => {
  const user = { name: 'worker', password: 'p:a/s@$&s' };
  const read = { username: 'worker', password: user.password };
  expect(parseRedisUrl(withCredentials('unix:///run/redis.sock', user))).toMatchObject(read);
  expect(parseRedisUrl(withCredentials('redis+cluster://a:b@one:7000', user))).toMatchObject({ ...read, nodes: one });
  expect(withCredentials('redis://old:one@host/2', { name: 'a', password: 'b' })).toBe('redis://a:b@host/2');
});
