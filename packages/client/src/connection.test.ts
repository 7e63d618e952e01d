// The connection: its states, its pauses, and what it does about a gateway that is silent.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { rig } from './testkit/fake-gateway.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('it connects with the first use, and is open with hello', () => {
  const { client, sockets, socket, states } = rig();
  expect(sockets).toHaveLength(0);
  client.connect();
  client.connect();
  expect(sockets).toHaveLength(1);
  expect(client.send('ping', null)).toBe(false);
  socket().hello();
  expect(states).toEqual(['connecting', 'open']);
  expect(client.hello?.limits.resume_ms).toBe(30_000);
});

test('a lost connection is tried again after a growing pause, and another gateway may be asked', () => {
  const asked: string[] = [];
  const { client, sockets, socket } = rig({ url: () => `ws://gateway-${asked.push('')}/ws` });
  client.connect();
  socket().lose();
  expect(client.state).toMatchObject({ kind: 'waiting', close: { code: 1006 } });
  vi.advanceTimersByTime(500);
  expect(sockets).toHaveLength(2);
  socket().lose();
  vi.advanceTimersByTime(499);
  expect(sockets).toHaveLength(2);
  vi.advanceTimersByTime(501);
  expect(sockets).toHaveLength(3);
  expect(asked).toHaveLength(3);
});

test('a connection that held makes the next pause short again', () => {
  const { client, sockets, socket } = rig();
  client.connect();
  for (let i = 0; i < 3; i++) {
    socket().lose();
    vi.advanceTimersToNextTimer();
  }
  socket().hello();
  vi.advanceTimersByTime(6_000);
  socket().lose();
  vi.advanceTimersByTime(500);
  expect(sockets).toHaveLength(5);
});

test('a draining gateway is given the pause that it asked for', () => {
  const { client, sockets, socket } = rig();
  client.connect();
  socket().hello();
  socket().say('draining', { reconnect_after_ms: 5_000 });
  socket().lose(1012);
  vi.advanceTimersByTime(5_000);
  expect(sockets).toHaveLength(1);
  vi.advanceTimersByTime(500);
  expect(sockets).toHaveLength(2);
});

test('a final close is the end; an idle one waits for the next use', () => {
  const idle = rig();
  idle.client.connect();
  idle.socket().lose(4409);
  expect(idle.client.state).toMatchObject({ kind: 'waiting', delayMs: undefined });
  idle.client.connect();
  expect(idle.client.state.kind).toBe('connecting');
  idle.socket().lose(4403, 'origin not allowed');
  expect(idle.client.state).toEqual({ kind: 'closed', close: { code: 4403, reason: 'origin not allowed' } });
  idle.client.connect();
  expect(idle.sockets).toHaveLength(2);
});

test('without reconnect a lost connection is closed', () => {
  const { client, socket } = rig({ reconnect: false });
  client.connect();
  socket().lose();
  expect(client.state.kind).toBe('closed');
});

test('a gateway that does not send hello in time is disconnected', () => {
  const { client, socket } = rig();
  client.connect();
  const first = socket();
  vi.advanceTimersByTime(10_000);
  expect(client.state).toMatchObject({ kind: 'waiting', close: { reason: 'no hello in 10000 ms' } });
  expect(first.closedWith).toBeDefined();
});

test('a silent gateway is asked, and left when it does not answer, while a run is live', () => {
  const { client, socket } = rig({ heartbeatMs: 1_000 });
  client.connect();
  const first = socket();
  first.hello();
  vi.advanceTimersByTime(60_000);
  expect(first.sent('ping')).toHaveLength(1);
  client.run({ code: '', language: 'python', token: 't' });
  vi.advanceTimersByTime(2_000);
  first.pong();
  vi.advanceTimersByTime(2_000);
  expect(client.state.kind).toBe('open');
  vi.advanceTimersByTime(2_000);
  expect(client.state).toMatchObject({ kind: 'waiting', close: { reason: 'the gateway does not answer' } });
});

test('close ends it for good, whatever its socket says later', () => {
  const { client, socket, states } = rig();
  client.connect();
  socket().hello();
  client.close();
  expect(socket().closedWith).toBe(1000);
  socket().lose();
  socket().hello();
  expect(states.slice(2)).toEqual(['closed']);
});

test('what is not a frame is skipped', () => {
  const { client, socket } = rig();
  client.connect();
  socket().say('hello', { protocol: 1, limits: {}, languages: [] });
  socket().say('something_new', { text: 'x' });
  expect(client.state.kind).toBe('open');
});
