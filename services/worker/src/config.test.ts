// The worker's settings: what is refused is refused by name; who may call is settled before a worker can be reached.
import { RUNTIMES } from '@rungrid/sandbox/runtimes';
import { describe, expect, it, test } from 'vitest';
import { readWorkerConfig } from './config.js';

describe('SANDBOX_RUNTIME', () => {
  it('is runc unless it is set, and takes every runtime of the table', () => {
    expect(readWorkerConfig({}).SANDBOX_RUNTIME).toBe('runc');
    for (const name of RUNTIMES) expect(readWorkerConfig({ SANDBOX_RUNTIME: name }).SANDBOX_RUNTIME).toBe(name);
  });

  it('of another name starts no worker', () => {
    for (const name of ['crun', 'RUNSC', 'runsc ', '../runc'])
      expect(() => readWorkerConfig({ SANDBOX_RUNTIME: name })).toThrow('SANDBOX_RUNTIME');
  });
});

const SECRET = 'a-secret-of-the-worker-config-test';

test('a worker that other machines may reach needs a secret or certificates; on loopback it starts without', () => {
  expect(() => readWorkerConfig({ WORKER_GRPC_HOST: '0.0.0.0' })).toThrow('RUNGRID_GRPC_SECRET');
  expect(readWorkerConfig({ WORKER_GRPC_HOST: '0.0.0.0', RUNGRID_GRPC_SECRET: SECRET }).grpcSecurity.secrets).toEqual([
    SECRET,
  ]);
  expect(readWorkerConfig({}).grpcSecurity).toEqual({ secrets: [], tls: undefined });
});

test('a fault never shows a secret', () => {
  expect(() => readWorkerConfig({ RUNGRID_GRPC_SECRET: 'tooshort' })).toThrow('RUNGRID_GRPC_SECRET');
  expect(() => readWorkerConfig({ RUNGRID_GRPC_SECRET: 'tooshort' })).not.toThrow('tooshort');
});
