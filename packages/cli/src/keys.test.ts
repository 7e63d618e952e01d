// Secrets of the local stack: made once, private; token keys are picked by id.
import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ensureGrpcSecret, ensureKeys, pickKey, readKeys } from './keys.js';
import { resolvePaths } from './paths.js';

const newPaths = () => resolvePaths({ RUNGRID_STATE: mkdtempSync(join(tmpdir(), 'rungrid-keys-')) });

test('keys are made once, and only their owner may read them', () => {
  const paths = newPaths();
  expect(readKeys(paths, {})).toBeUndefined();
  const made = ensureKeys(paths, {});
  expect(made).toMatch(/^local:[0-9a-f]{64}$/);
  expect(ensureKeys(paths, {})).toBe(made);
  expect(statSync(paths.keysFile).mode & 0o777).toBe(0o600);
  expect(readFileSync(paths.keysFile, 'utf8').trim()).toBe(made);
});

test('the secret of gateways and workers is made once, private, and RUNGRID_GRPC_SECRET goes first', () => {
  const paths = newPaths();
  const made = ensureGrpcSecret(paths, {});
  expect(made).toMatch(/^[0-9a-f]{64}$/);
  expect(ensureGrpcSecret(paths, { RUNGRID_GRPC_SECRET: '' })).toBe(made);
  expect(statSync(join(paths.secrets, 'grpc')).mode & 0o777).toBe(0o600);
  expect(ensureGrpcSecret(paths, { RUNGRID_GRPC_SECRET: 'given' })).toBe('given');
});

test('GATEWAY_TOKEN_KEYS goes first', () => {
  expect(ensureKeys(newPaths(), { GATEWAY_TOKEN_KEYS: 'a:secret' })).toBe('a:secret');
});

test('the first key signs unless another one is named; a secret may hold a colon', () => {
  expect(pickKey('a:one:1, b:two')).toEqual({ keyId: 'a', key: 'one:1' });
  expect(pickKey('a:one, b:two', 'b')).toEqual({ keyId: 'b', key: 'two' });
  expect(() => pickKey('a:one,b:two', 'c')).toThrow('the ring has a, b');
});
