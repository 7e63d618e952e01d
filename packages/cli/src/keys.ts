// Keys and secrets of this installation: created once, readable by their owner only. Token keys have the form of GATEWAY_TOKEN_KEYS.
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CliError, codeOf, readIfExists } from './errors.js';
import type { Paths } from './paths.js';

/** `id:secret,id2:secret2`; the first signs. */
export function ensureKeys(paths: Paths, env: NodeJS.ProcessEnv = process.env): string {
  const there = readKeys(paths, env);
  if (there !== undefined) return there;
  return make(paths.keysFile, `local:${randomBytes(32).toString('hex')}`);
}

/** RUNGRID_GRPC_SECRET, else a secret of this installation; gateways and workers share it. */
export function ensureGrpcSecret(paths: Paths, env: NodeJS.ProcessEnv = process.env): string {
  return given(env['RUNGRID_GRPC_SECRET']) ?? ensureSecret('grpc', paths);
}

/** A secret of this installation, 64 hex digits, created at the first call. `name` matches `[a-z-]+`. */
export function ensureSecret(name: string, paths: Paths): string {
  const file = join(paths.secrets, name);
  mkdirSync(paths.secrets, { recursive: true, mode: 0o700 });
  return readSecret(file) ?? make(file, randomBytes(32).toString('hex'));
}

/** The keys in GATEWAY_TOKEN_KEYS or in the state folder; undefined when there are none yet. */
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
    return readIfExists(file)?.trim();
  } catch (error) {
    if (codeOf(error) === 'EACCES')
      throw new CliError(`no permission to read ${file}: it belongs to the user who ran \`rungrid up\`.`);
    throw error;
  }
}
