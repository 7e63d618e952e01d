// A slow handshake from many sides: it takes as long as the gateway's patience.
import { connect, type Socket } from 'node:net';
import { test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const stack = useStack();

test('half-sent upgrades are dropped in time, and no other client waits for them', async () => {
  const { hostname, port } = new URL(stack().gateway.url);
  const sockets: Socket[] = [];
  let dead = 0;
  const timers: NodeJS.Timeout[] = [];
  for (let i = 0; i < 300; i++) {
    const socket = connect(Number(port), hostname);
    socket.on('error', () => undefined);
    socket.on('close', () => dead++);
    socket.write('GET /ws HTTP/1.1\r\nHost: x\r\n');
    timers.push(setInterval(() => void (socket.destroyed || socket.write('X-a: b\r\n')), 4_000));
    sockets.push(socket);
  }
  try {
    const client = await stack().connect();
    await client.hello();
    await until(() => dead === 300, {
      what: () => `all to be dropped; ${dead} are`,
      timeoutMs: 45_000,
      everyMs: 200,
    });
  } finally {
    for (const timer of timers) clearInterval(timer);
    for (const socket of sockets) socket.destroy();
  }
});
