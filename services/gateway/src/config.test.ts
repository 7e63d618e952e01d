// Tests of the configuration: defaults, and faults that name their variable.
import { expect, test } from 'vitest';
import { readGatewayConfig } from './config.js';

const KEYS = 'main:0123456789abcdef';

test('keys in order, origins exact, defaults in place', () => {
  const config = readGatewayConfig({
    GATEWAY_TOKEN_KEYS: `${KEYS},old:a secret: with a colon`,
    GATEWAY_ALLOWED_ORIGINS: 'https://a.test, http://b.test:8080',
  });
  expect([...config.tokenKeys]).toEqual([
    ['main', '0123456789abcdef'],
    ['old', 'a secret: with a colon'],
  ]);
  expect(config.allowedOrigins).toEqual(['https://a.test', 'http://b.test:8080']);
  expect(config.GATEWAY_PORT).toBe(8080);
  expect(readGatewayConfig({ GATEWAY_TOKEN_KEYS: KEYS }).allowedOrigins).toBeUndefined();
});

test.each([
  [{}, 'GATEWAY_TOKEN_KEYS'],
  [{ GATEWAY_TOKEN_KEYS: 'main:short' }, 'GATEWAY_TOKEN_KEYS'],
  [{ GATEWAY_TOKEN_KEYS: `${KEYS},${KEYS}` }, 'GATEWAY_TOKEN_KEYS'],
  [{ GATEWAY_TOKEN_KEYS: KEYS, GATEWAY_ALLOWED_ORIGINS: 'https://a.test/' }, 'GATEWAY_ALLOWED_ORIGINS'],
  [{ GATEWAY_TOKEN_KEYS: KEYS, GATEWAY_ALLOWED_ORIGINS: '*' }, 'GATEWAY_ALLOWED_ORIGINS'],
  [{ GATEWAY_TOKEN_KEYS: KEYS, GATEWAY_PORT: '70000' }, 'GATEWAY_PORT'],
  [{ GATEWAY_TOKEN_KEYS: KEYS, GATEWAY_PUBLIC_DIR: '/nowhere' }, 'GATEWAY_PUBLIC_DIR'],
  [{ GATEWAY_TOKEN_KEYS: KEYS, RUNGRID_GRPC_SECRET: 'tooshort' }, 'RUNGRID_GRPC_SECRET'],
  [{ GATEWAY_TOKEN_KEYS: KEYS, RUNGRID_GRPC_CA: 'ca.pem' }, 'RUNGRID_GRPC_CERT, RUNGRID_GRPC_KEY'],
])('%j names what is wrong', (env, variable) => {
  expect(() => readGatewayConfig(env)).toThrow(variable);
});

test('a fault never shows a secret', () => {
  expect(() => readGatewayConfig({ GATEWAY_TOKEN_KEYS: 'main:tooshort' })).not.toThrow('tooshort');
});
