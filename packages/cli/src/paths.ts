// Paths: the project's folder, and the state folder that holds everything that `up` creates.
import { createHash } from 'node:crypto';
import { chmodSync, lstatSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CliError } from './errors.js';

/** The repository's root. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url)).replace(/\/$/, '');

/** sun_path holds 107 bytes and a NUL (unix(7)). */
const MAX_SOCKET_PATH = 107;
/** The longest socket path below the run folder. containerd creates it, and fails obscurely when it is too long. */
const LONGEST_SOCKET = '/docker/exec/containerd/containerd-debug.sock.ttrpc';

export interface Paths {
  /** The state folder: RUNGRID_STATE, or .rungrid in the project's folder. */
  readonly state: string;
  readonly stateFile: string;
  readonly lockFile: string;
  readonly keysFile: string;
  /** Secrets between the services. */
  readonly secrets: string;
  readonly logs: string;
  readonly tmp: string;
  /** Images and containers of the private Docker engine. */
  readonly dockerData: string;
  /** Sockets and pid files: in the state folder when their paths fit, else in a short folder of the same owner. */
  readonly run: string;
}

/** Resolves the paths; creates nothing. */
export function resolvePaths(env: NodeJS.ProcessEnv = process.env): Paths {
  const given = env['RUNGRID_STATE'];
  const state = given === undefined || given === '' ? join(ROOT, '.rungrid') : resolve(given);
  return {
    state,
    stateFile: join(state, 'state.json'),
    lockFile: join(state, 'lock'),
    keysFile: join(state, 'keys'),
    secrets: join(state, 'secrets'),
    logs: join(state, 'logs'),
    tmp: join(state, 'tmp'),
    dockerData: join(state, 'docker'),
    run: runFolder(state),
  };
}

/** The folder for sockets that belongs to this state folder. */
export function runFolder(state: string): string {
  const inside = join(state, 'run');
  if (Buffer.byteLength(inside + LONGEST_SOCKET) <= MAX_SOCKET_PATH) return inside;
  const base = process.getuid?.() === 0 ? '/run' : '/tmp';
  return `${base}/rungrid-${installationId(state)}`;
}

/** Distinguishes installations on one machine: 10 hex digits of a hash of the state folder's path. */
export function installationId(state: string): string {
  return createHash('sha256').update(state).digest('hex').slice(0, 10);
}

/** Creates the folders. Throws CliError when that fails, or when another user owns the run folder. */
export function makeFolders(paths: Paths): void {
  try {
    for (const folder of [paths.state, paths.logs, paths.tmp]) mkdirSync(folder, { recursive: true });
    mkdirSync(paths.run, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new CliError(
      `cannot create ${paths.state}: ${(error as Error).message}. Set RUNGRID_STATE to a writable folder.`,
      { cause: error },
    );
  }
  const info = lstatSync(paths.run);
  if (!info.isDirectory() || info.uid !== process.getuid?.()) {
    throw new CliError(`${paths.run} belongs to another user. Remove it, or set RUNGRID_STATE to a shorter path.`);
  }
  chmodSync(paths.run, 0o700);
}
