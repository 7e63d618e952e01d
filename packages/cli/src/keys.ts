// The secrets of the local stack, made once and readable by their owner only: token keys, and what gateways show to workers.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { CliError, codeOf } from './errors.js';
import type { Paths } from './paths.js';

/** `id:secret,id2:secret2`; the first signs. */
export function ensureKeys(paths: Paths, env: NodeJS.ProcessEnv = process.env): string {
  const there = readKeys(paths, env);
  if (there !== undefined) return there;
  return make(paths.keysFile, `local:${randomBytes(32).toString('hex')}`);
}

/** RUNGRID_GRPC_SECRET, or the secret of the state folder: gateways and workers get the same one. */
export function ensureGrpcSecret(paths: Paths, env: NodeJS.ProcessEnv = process.env): string {
  return (
    given(env['RUNGRID_GRPC_SECRET']) ??
    readSecret(paths.grpcSecretFile) ??
    make(paths.grpcSecretFile, randomBytes(32).toString('hex'))
  );
}

/** The keys of GATEWAY_TOKEN_KEYS or of the state folder; undefined when there are none yet. */
export function readKeys(paths: Paths, env: NodeJS.ProcessEnv = process.env): string | undefined {
  return given(env['GATEWAY_TOKEN_KEYS']) ?? readSecret(paths.keysFile);
}

/** The key with this id, or the first one. Throws CliError when there is none. */
export function pickKey(ring: string, keyId?: string): { keyId: string; key: string } {
  const keys = ring.split(',').map((entry) => {
    const at = entry.indexOf(':');
    return { keyId: entry.slice(0, at).trim(), key: entry.slice(at + 1).trim() };
  });
  const picked = keyId === undefined ? keys[0] : keys.find((each) => each.keyId === keyId);
  if (picked === undefined || picked.keyId === '') {
    throw new CliError(`there is no key "${keyId ?? ''}"; the ring has ${keys.map((each) => each.keyId).join(', ')}`);
  }
  return picked;
}

/** A variable's value; empty means unset. */
function given(value: string | undefined): string | undefined {
  return value === '' ? undefined : value;
}

function make(file: string, secret: string): string {
  writeFileSync(file, `${secret}\n`, { mode: 0o600, flag: 'wx' });
  return secret;
}

function readSecret(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    if (codeOf(error) === 'EACCES')
      throw new CliError(`you may not read ${file}: it belongs to who ran \`rungrid up\`.`);
    throw error;
  }
}
