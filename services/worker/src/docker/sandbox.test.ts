// How a sandbox's end is read from the engine's events, whatever their order.
import { Socket } from 'node:net';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { DockerApi } from './api.js';
import { DockerSandbox } from './sandbox.js';

const die = (exitCode: number) => ({ action: 'die', containerId: 'abc', exitCode });
const OOM = { action: 'oom', containerId: 'abc', exitCode: undefined };

let socket: Socket;
let sandbox: DockerSandbox;

beforeEach(() => {
  vi.useFakeTimers();
  socket = new Socket();
  const api = { remove: async () => undefined } as unknown as DockerApi;
  const parts = { cgroups: undefined, assignDelayMs: 0, onDestroyed: () => undefined };
  sandbox = new DockerSandbox({ id: '1', containerId: 'abc', socket, api, ...parts });
  socket.emit('end');
});
afterEach(() => {
  socket.destroy();
  vi.useRealTimers();
});

async function settled(): Promise<unknown> {
  const pending = Symbol('pending');
  await vi.advanceTimersByTimeAsync(0);
  const exit = await Promise.race([sandbox.exited, Promise.resolve(pending)]);
  return exit === pending ? 'pending' : exit;
}

it('reads an oom event before the death of PID 1 as out of memory', async () => {
  sandbox.onEvent(OOM);
  sandbox.onEvent(die(137));
  expect(await settled()).toEqual({ oom: true, status: 137 });
});

it('reads an oom event soon after the death of PID 1 as out of memory', async () => {
  sandbox.onEvent(die(137));
  await vi.advanceTimersByTimeAsync(100);
  expect(await settled()).toBe('pending');
  sandbox.onEvent(OOM);
  expect(await settled()).toEqual({ oom: true, status: 137 });
});

it('settles a SIGKILL without an oom event after a bounded time', async () => {
  sandbox.onEvent(die(137));
  await vi.advanceTimersByTimeAsync(150);
  expect(await settled()).toEqual({ oom: false, status: 137 });
});

it.each([0, 1, 139])('settles exit status %i at once', async (status) => {
  sandbox.onEvent(die(status));
  expect(await settled()).toEqual({ oom: false, status });
});

it('settles at once when the worker itself kills the sandbox', async () => {
  const destroyed = sandbox.destroy();
  sandbox.onEvent(die(137));
  expect(await settled()).toEqual({ oom: false, status: 137 });
  await destroyed;
});
