// The configuration: what its defaults allow, and what it refuses.
import { ConfigError } from '@rungrid/kit/config';
import { expect, it } from 'vitest';
import { fleetsOf, listed, readProxyConfig } from './config.js';

it('allows by default what workers make, and no option that must be configured', () => {
  const config = readProxyConfig({});
  expect(fleetsOf(config)).toEqual(['rungrid', 'rungrid-selftest']);
  expect(listed(config.ENGINE_PROXY_IMAGES)).toEqual(['rungrid/']);
  expect(listed(config.ENGINE_PROXY_RUNTIMES)).toEqual([]);
  expect(config).toMatchObject({ ENGINE_PROXY_SECCOMP: 'default', ENGINE_PROXY_SOCKET_MODE: '0600' });
  expect(config.ENGINE_PROXY_CGROUP_PARENT).toBeUndefined();
});

it.each([
  ['ENGINE_PROXY_SOCKET', '/var/run/docker.sock'],
  ['ENGINE_PROXY_SOCKET', 'engine.sock'],
  ['ENGINE_PROXY_SOCKET', `/${'x'.repeat(107)}`],
  ['ENGINE_PROXY_ENGINE', 'tcp://docker:2375'],
  ['ENGINE_PROXY_SOCKET_MODE', '0o600'],
  ['ENGINE_PROXY_SOCKET_MODE', '888'],
  ['ENGINE_PROXY_SOCKET_OWNER', 'root'],
  ['ENGINE_PROXY_SECCOMP', 'unconfined'],
  ['ENGINE_PROXY_IMAGES', '/'],
  ['ENGINE_PROXY_IMAGES', 'rungrid/,,'],
  ['ENGINE_PROXY_RUNTIMES', 'runsc, kata'],
  ['ENGINE_PROXY_CGROUP_PARENT', '/a/b'],
  ['ENGINE_PROXY_CGROUP_PARENT', '/'],
  ['ENGINE_PROXY_CONNECTIONS', '0'],
  ['RUNGRID_PREFIX', 'Upper'],
])('%s is not %j', (name, value) => {
  expect(() => readProxyConfig({ [name]: value })).toThrow(ConfigError);
  expect(() => readProxyConfig({ [name]: value })).toThrow(name);
});
