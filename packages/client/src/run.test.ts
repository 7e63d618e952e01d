// A run over its client: its events, its stdin, its end, and how it goes on when its connection is lost.
import type { RunCode } from '@rungrid/proto/frames';
import { afterEach, beforeEach, expect, expectTypeOf, test, vi } from 'vitest';
import type { RunEvent } from './frames.js';
import type { RunRequest } from './requests.js';
import { rig } from './testkit/fake-gateway.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const PROGRAM = { code: 'x', language: 'python', token: 't', run: 'a' };
const EXIT = { run: 'a', code: 0, signal: null, reason: 'exited', usage: {}, truncated: false, seq: 9 };

/** A started run, its gateway, and its events so far. */
function started(request: Partial<RunRequest> = {}) {
  const given = rig();
  const events: RunEvent[] = [];
  const run = given.client.run({ ...PROGRAM, ...request }, { onEvent: (event) => events.push(event) });
  const first = given.socket();
  first.hello();
  first.start('a');
  return { ...given, run, events, first, names: () => events.map(({ event }) => event) };
}

/** Lets the next connection open. */
function reconnect({ sockets, socket }: Pick<ReturnType<typeof rig>, 'sockets' | 'socket'>) {
  const before = sockets.length;
  vi.advanceTimersByTime(1_000);
  expect(sockets).toHaveLength(before + 1);
  socket().hello();
  return socket();
}

test('a request is the protocol’s run_code, but for token and name', () => {
  expectTypeOf<Required<RunRequest>['limits']>().toEqualTypeOf<NonNullable<RunCode['limits']>>();
  expectTypeOf<keyof RunRequest>().toEqualTypeOf<keyof RunCode>();
});

test('a run that is requested before the connection is sent with hello, stdin behind it', () => {
  const { client, socket } = rig();
  const run = client.run(PROGRAM);
  void run.write('hi\n');
  run.closeStdin();
  expect(socket().frames).toEqual([]);
  socket().hello();
  socket().pong();
  expect(socket().frames).toEqual([
    { event: 'run_code', data: { code: 'x', language: 'python', token: 't', run: 'a' } },
    { event: 'stdin', data: { text: 'hi\n', run: 'a' } },
    { event: 'ping', data: { stdin: 'a' } },
    { event: 'stdin_close', data: { run: 'a' } },
  ]);
});

test('its events can be iterated, up to the end', async () => {
  const { client, socket } = rig();
  const run = client.run(PROGRAM);
  socket().hello();
  socket().start('a');
  socket().say('stdout', { run: 'a', text: 'hello', seq: 2 });
  socket().say('exit', EXIT);
  socket().say('stdout', { run: 'a', text: 'of another life', seq: 10 });
  const names: string[] = [];
  for await (const { event } of run) names.push(event);
  expect(names).toEqual(['queued', 'started', 'stdout', 'exit']);
  expect(await run.ended).toEqual({ event: 'exit', data: EXIT });
  expect(client.liveRuns).toBe(0);
});

test('a reader that falls behind pauses the socket, until it has caught up', async () => {
  const { client, socket } = rig();
  const run = client.run(PROGRAM);
  socket().hello();
  socket().start('a');
  for (let seq = 2; seq < 100; seq++) socket().say('stdout', { run: 'a', text: 'x', seq });
  expect(socket().isPaused).toBe(true);
  const events = run[Symbol.asyncIterator]();
  for (let i = 0; i < 90; i++) await events.next();
  expect(socket().isPaused).toBe(false);
  expect(() => run[Symbol.asyncIterator]()).toThrow('have a reader');
});

test('a token of the source is fetched ahead, and another one after it', async () => {
  let count = 0;
  const { client, socket } = rig({ token: () => `token ${++count}` });
  client.connect();
  socket().hello();
  expect(count).toBe(1);
  client.run({ code: 'x', language: 'python' });
  await vi.advanceTimersByTimeAsync(0);
  expect(socket().sent('run_code')[0]?.data['token']).toBe('token 1');
  expect(count).toBe(2);
});

test('a token that cannot be had ends the run, and no connection is needed for that', async () => {
  const { client, socket } = rig({ token: () => Promise.reject(new Error('no key')) });
  const run = client.run({ code: 'x', language: 'python' });
  socket().hello();
  await vi.advanceTimersByTimeAsync(0);
  expect(await run.ended).toEqual({ event: 'lost', data: { message: 'no key' } });
});

test('a refusal is the end; an error about one frame of a live run is not', async () => {
  const { client, socket } = rig();
  const run = client.run(PROGRAM);
  socket().hello();
  socket().say('error', { run: 'a', code: 'invalid_frame', message: 'args', retryable: false });
  expect((await run.ended).event).toBe('error');
  const live = started();
  live.first.say('error', { run: 'a', code: 'invalid_frame', message: 'cols', retryable: false });
  expect(live.names().at(-1)).toBe('error');
  live.first.say('exit', EXIT);
  expect((await live.run.ended).event).toBe('exit');
});

test('stdin that does not fit is sent again, and the caller does not see it', () => {
  const { run, first, names } = started();
  void run.write('a');
  first.say('error', { run: 'a', code: 'stdin_full', message: '', retryable: true });
  first.pong();
  vi.advanceTimersByTime(20);
  expect(first.sent('stdin').map(({ data }) => data['text'])).toEqual(['a', 'a']);
  expect(names()).not.toContain('error');
});

test('a kept run is resumed on the next connection, with the stdin that it has not received', () => {
  const given = started({ on_disconnect: 'keep' });
  const { run, first, names } = given;
  first.say('stdout', { run: 'a', text: 'x', seq: 2 });
  void run.write('one');
  first.pong();
  first.lose();
  expect(run.isInterrupted).toBe(true);
  void run.write('two');
  const second = reconnect(given);
  expect(second.frames).toEqual([{ event: 'resume', data: { key: 'key-a', after: 2, run: 'a' } }]);
  second.say('resumed', { run: 'a', replayed_from: 3, stdin_bytes: 2 });
  expect(second.sent('stdin').map(({ data }) => data['text'])).toEqual(['etwo']);
  second.say('exit', { ...EXIT, seq: 3 });
  expect(names()).toEqual(['queued', 'started', 'stdout', 'interrupted', 'resumed', 'exit']);
});

test('a run that is not to be kept is lost with its connection, but not with a gateway that drains', async () => {
  const killed = started();
  killed.first.lose();
  expect((await killed.run.ended).event).toBe('lost');
  const drained = started();
  drained.first.say('draining', { reconnect_after_ms: 0 });
  drained.first.lose(1012);
  expect(reconnect(drained).sent('resume')).toHaveLength(1);
});

test('a run that has not started is lost with its connection', async () => {
  const { client, socket } = rig();
  const run = client.run({ ...PROGRAM, on_disconnect: 'keep' });
  socket().hello();
  socket().say('queued', { run: 'a', position: 0 });
  socket().lose();
  expect(await run.ended).toEqual({ event: 'lost', data: { message: 'the connection was lost' } });
});

test('past the resume window the run is lost', async () => {
  const { run, first } = started({ on_disconnect: 'keep' });
  first.lose();
  vi.advanceTimersByTime(30_000);
  expect(await run.ended).toMatchObject({ event: 'lost', data: { message: expect.stringContaining('longer') } });
});

test('the hole of a resume_gap is reported, and skipped', () => {
  const given = started({ on_disconnect: 'keep' });
  given.first.lose();
  const second = reconnect(given);
  second.say('error', { run: 'a', code: 'resume_gap', message: '', retryable: false, replay_from: 7 });
  expect(given.events.at(-1)).toEqual({ event: 'gap', data: { after: 1, replay_from: 7 } });
  expect(second.sent('resume').map(({ data }) => data['after'])).toEqual([1, 6]);
});

test('a gateway that cannot serve a resume just then is asked again; one that refuses it is believed', async () => {
  const given = started({ on_disconnect: 'keep' });
  given.first.lose();
  const second = reconnect(given);
  second.say('error', { run: 'a', code: 'unavailable', message: '', retryable: true, retry_after_ms: 100 });
  vi.advanceTimersByTime(100);
  expect(second.sent('resume')).toHaveLength(2);
  second.say('error', { run: 'a', code: 'resume_failed', message: '', retryable: false });
  expect(await given.run.ended).toMatchObject({ event: 'error', data: { code: 'resume_failed' } });
});

test('stop without a connection is sent after the resume; a run that was not sent is lost', async () => {
  const given = started({ on_disconnect: 'keep' });
  given.first.lose();
  given.run.stop();
  const second = reconnect(given);
  second.say('resumed', { run: 'a', replayed_from: 2, stdin_bytes: 0 });
  expect(second.sent('stop')).toHaveLength(1);
  const unsent = rig().client.run(PROGRAM);
  unsent.stop();
  expect((await unsent.ended).event).toBe('lost');
});

test('a run that is requested while the gateway drains goes to another one', () => {
  const { client, sockets, socket } = rig();
  client.connect();
  socket().hello();
  socket().say('draining', { reconnect_after_ms: 0 });
  client.run(PROGRAM);
  expect(socket().sent('run_code')).toHaveLength(0);
  const second = reconnect({ sockets, socket });
  expect(second.sent('run_code')).toHaveLength(1);
});

test('the end of the connection is the end of its runs', async () => {
  const { client, run } = started({ on_disconnect: 'keep' });
  client.close();
  expect((await run.ended).event).toBe('lost');
  expect((await client.run(PROGRAM).ended).event).toBe('lost');
});

test('a run of another client is resumed by its key', () => {
  const { client, socket } = rig();
  client.resume({ key: 'k', after: 4, run: 'b' });
  socket().hello();
  expect(socket().frames).toEqual([{ event: 'resume', data: { key: 'k', after: 4, run: 'b' } }]);
});

test('names are fresh, unless they are given; a name of a live run is refused', () => {
  const { client, socket } = rig();
  client.run({ ...PROGRAM, run: 'run-1' });
  expect(client.run({ code: 'x', language: 'python', token: 't' }).name).toBe('run-2');
  expect(client.run({ ...PROGRAM, run: null }).name).toBeUndefined();
  expect(() => client.run({ ...PROGRAM, run: null })).toThrow('is live');
  socket().hello();
  expect(socket().frames.map(({ data }) => data['run'])).toEqual(['run-1', 'run-2', undefined]);
});
