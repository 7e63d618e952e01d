// Two raw sockets as one stream: bytes both ways with back-pressure, each direction's end passed on by itself.
import type { Socket } from 'node:net';

/**
 * Joins two open sockets; settles when both are closed. Nothing is looked at or changed. An end of one direction ends that direction
 * only; a socket that breaks, or closes before its end, takes the other one with it, so that the engine sees a lost worker at once and
 * closes the sandbox's stdin.
 */
export async function splice(left: Socket, right: Socket): Promise<void> {
  await Promise.all([carry(left, right), carry(right, left)]);
}

function carry(from: Socket, to: Socket): Promise<void> {
  // A keystroke must not wait for an acknowledgement. Without effect on a unix socket, which never waits.
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
