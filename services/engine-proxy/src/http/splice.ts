// Two raw sockets as one stream: bytes both ways with back-pressure, each direction ending by itself.
import type { Socket } from 'node:net';

/**
 * Joins two open sockets; settles when both are closed. Bytes pass unread and unchanged. An end of one direction ends that direction
 * only; a socket that breaks, or closes before its end, destroys the other one, so that the engine notices a lost worker at once and
 * closes the sandbox's stdin.
 */
export async function splice(left: Socket, right: Socket): Promise<void> {
  await Promise.all([carry(left, right), carry(right, left)]);
}

function carry(from: Socket, to: Socket): Promise<void> {
  // A keystroke must not wait for an acknowledgment. No effect on a unix socket, which never waits.
  from.setNoDelay(true);
  from.setTimeout(0);
  from.on('error', () => from.destroy());
  from.pipe(to);
  return new Promise((resolve) => {
    from.once('close', () => {
      if (!from.readableEnded || !from.writableFinished) to.destroy();
      resolve();
    });
  });
}
