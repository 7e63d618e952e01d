// Rules of RUNGRID_REDIS_URL.
import { expect, test } from 'vitest';
import { parseRedisUrl, shownRedisUrl, withCredentials } from './redis-url.js';

test.each([
  ['unix:///run/redis.sock', { target: '/run/redis.sock' }],
  ['unix://worker:a%40b@/run/redis.sock', { target: '/run/redis.sock', username: 'worker', password: 'a@b' }],
  ['redis://worker:secret@host:6380/1', { target: 'redis://worker:secret@host:6380/1' }],
])('%s is read as it is meant', (url, expected) => {
  expect(parseRedisUrl(url)).toEqual(expected);
});

test.each([
  ['unix:///run/redis.sock', 'unix:///run/redis.sock'],
  ['unix://worker:secret@/run/redis.sock', 'unix:///run/redis.sock'],
  ['rediss://worker:secret@host:6380/1', 'rediss://host:6380/1'],
  ['redis://:secret@host', 'redis://host'],
])('%s is shown as %s', (url, shown) => {
  expect(shownRedisUrl(url)).toBe(shown);
});

test('credentials are put in, and survive the way back', () => {
  const url = withCredentials('unix:///run/redis.sock', { name: 'worker', password: 'p:a/s@s' });
  expect(parseRedisUrl(url)).toEqual({ target: '/run/redis.sock', username: 'worker', password: 'p:a/s@s' });
  expect(withCredentials('redis://old:one@host/2', { name: 'a', password: 'b' })).toBe('redis://a:b@host/2');
});
