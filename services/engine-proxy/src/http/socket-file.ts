// The socket's file: free before the server listens, and closed to others until it has its owner and mode.
import { chmodSync, chownSync, lstatSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { connect } from 'node:net';
import { ConfigError } from '@rungrid/kit/config';

interface SocketFile {
  readonly path: string;
  /** Permission bits, such as 0o660. */
  readonly mode: number;
  /** Undefined: this process's own. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/** Listens there. Rejects with ConfigError when another process does, or when the path is not a socket. */
export async function listenOn(server: Server, file: SocketFile): Promise<void> {
  await clearStale(file.path);
  const before = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // This call creates the file.
      server.listen(file.path, () => {
        server.off('error', reject);
        resolve();
      });
      process.umask(before);
    });
  } finally {
    process.umask(before);
  }
  if (file.owner !== undefined) chownSync(file.path, file.owner.uid, file.owner.gid);
  chmodSync(file.path, file.mode);
}

/** Removes the socket of a process that was killed. */
async function clearStale(path: string): Promise<void> {
  const there = lstatSync(path, { throwIfNoEntry: false });
  if (there === undefined) return;
  if (!there.isSocket()) throw new ConfigError(`ENGINE_PROXY_SOCKET: ${path} is there and is not a socket.`);
  if (await answers(path)) throw new ConfigError(`ENGINE_PROXY_SOCKET: another process listens at ${path}.`);
  rmSync(path, { force: true });
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}
