// What gateways and workers show each other, a shared secret, mutual TLS, or both: from configuration to PEM buffers and a check.
import { createHash, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import { Type } from 'typebox';
import { ConfigError } from './config.js';

/** Variables that gateway and worker share, and that have to fit on both sides. */
export const GRPC_SECURITY_FIELDS = {
  /**
   * Shared secret of gateways and workers: visible ASCII without a comma, 32 to 256 characters. A comma list rotates it: a gateway sends
   * the first, a worker accepts all. It travels as it is: beyond one machine or a private network use mutual TLS, alone or with it.
   */
  RUNGRID_GRPC_SECRET: Type.Optional(Type.String()),
  /**
   * Mutual TLS 1.3: paths of PEM files, all three or none, read at the start. The CA that signed both sides' certificates (several in
   * one file while it is changed), this side's certificate, and its key. deploy/tls makes them.
   */
  RUNGRID_GRPC_CA: Type.Optional(Type.String()),
  RUNGRID_GRPC_CERT: Type.Optional(Type.String()),
  RUNGRID_GRPC_KEY: Type.Optional(Type.String()),
};

export interface TlsFiles {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
}

export interface GrpcSecurity {
  /** The first is sent, all are accepted; none: no secret is asked for. */
  readonly secrets: readonly string[];
  readonly tls: TlsFiles | undefined;
}

type Values = { readonly [K in keyof typeof GRPC_SECURITY_FIELDS]?: string | undefined };

/** Throws ConfigError, which names variables and never a secret. */
export function readGrpcSecurity(values: Values): GrpcSecurity {
  return { secrets: readSecrets(values.RUNGRID_GRPC_SECRET), tls: readTls(values) };
}

/** A worker that others can reach asks them who they are. Throws ConfigError. */
export function requireSecurity(host: string, security: GrpcSecurity): void {
  if (security.secrets.length > 0 || security.tls !== undefined || isLoopback(host)) return;
  throw new ConfigError(
    [
      `WORKER_GRPC_HOST is ${host}, which other machines may reach, and nothing says who may run programs there. Either`,
      '  set RUNGRID_GRPC_SECRET to the same secret here and at the gateways (openssl rand -hex 32), on a private network; or',
      '  set RUNGRID_GRPC_CA, RUNGRID_GRPC_CERT and RUNGRID_GRPC_KEY on both sides (deploy/tls makes the files); or',
      '  set WORKER_GRPC_HOST=127.0.0.1, when the gateways are on this machine.',
    ].join('\n'),
  );
}

/** The value of `authorization` that a gateway sends; undefined: none. */
export function authorizationOf(security: GrpcSecurity): string | undefined {
  const [first] = security.secrets;
  return first === undefined ? undefined : `Bearer ${first}`;
}

/** Says of an `authorization` whether it is one of ours; takes as long for every one. */
export function authorizationCheck(security: GrpcSecurity): (given: string | undefined) => boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest();
  const accepted = security.secrets.map((secret) => hash(`Bearer ${secret}`));
  if (accepted.length === 0) return () => true;
  return (given) => {
    const hashed = hash(given ?? '');
    return accepted.reduce((found, each) => timingSafeEqual(each, hashed) || found, false);
  };
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function readSecrets(text: string | undefined): string[] {
  if (text === undefined) return [];
  return text.split(',').map((part, index) => {
    const secret = part.trim();
    if (/^[\x21-\x7e]{32,256}$/.test(secret)) return secret;
    throw new ConfigError(
      `RUNGRID_GRPC_SECRET: entry ${index + 1} is not 32 to 256 visible ASCII characters; openssl rand -hex 32 makes one`,
    );
  });
}

function readTls(values: Values): TlsFiles | undefined {
  const names = ['RUNGRID_GRPC_CA', 'RUNGRID_GRPC_CERT', 'RUNGRID_GRPC_KEY'] as const;
  const missing = names.filter((name) => values[name] === undefined);
  if (missing.length === names.length) return undefined;
  if (missing.length > 0)
    throw new ConfigError(`${missing.join(', ')}: not set; mutual TLS needs all of ${names.join(', ')}`);
  const [ca, cert, key] = names.map((name) => readPem(name, values[name] as string)) as [Buffer, Buffer, Buffer];
  try {
    createSecureContext({ ca, cert, key });
  } catch (error) {
    throw new ConfigError(
      `RUNGRID_GRPC_CA, RUNGRID_GRPC_CERT, RUNGRID_GRPC_KEY: not usable together: ${(error as Error).message}`,
    );
  }
  return { ca, cert, key };
}

function readPem(name: string, path: string): Buffer {
  try {
    const text = readFileSync(path);
    if (text.includes('-----BEGIN ')) return text;
  } catch (error) {
    throw new ConfigError(`${name}: ${(error as Error).message}`);
  }
  throw new ConfigError(`${name}: ${path} is not a PEM file`);
}
