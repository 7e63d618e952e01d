// Tests of the configuration: who may call is settled before a worker can be reached.
import { expect, test } from 'vitest';
import { readWorkerConfig } from './config.js';

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
