// Tests of one socket's conversation over a fake socket and fake runs.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { InputResult, RunHandle, RunListener } from '../routing/types.js';
import { Session } from './session.js';
import type { AdmissionResult, SendResult } from './types.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

class FakeRun implements RunHandle {
  readonly id = 'id';
  movable = false;
  readonly calls: string[] = [];
  readonly listener: RunListener;
  answer: InputResult = 'ok';
  constructor(listener: RunListener) {
    this.listener = listener;
  }
  #call(text: string): InputResult {
    this.calls.push(text);
    return this.answer;
  }
  stdin = (text: string) => this.#call(`stdin ${text}`);
  stdinClose = () => this.#call('close');
  signal = (name: string) => this.#call(name);
  resize = ({ cols, rows }: { cols: number; rows: number }) => this.#call(`${cols}x${rows}`);
  stop = () => this.#call('stop');
  pause = () => void this.calls.push('pause');
  resume = () => void this.calls.push('resume');
  abandon = () => void this.calls.push('abandon');
  leave = () => void this.calls.push('leave');
  exit(): void {
    const usage = { wall_ms: 0, cpu_ms: 0, memory_bytes: 0, output_bytes: 0 };
    this.listener.ended({ kind: 'exit', code: 0, signal: null, reason: 'exited', usage, truncated: false, seq: 1 });
  }
}

function setup(admission: AdmissionResult = { ok: true, spec: {} as never }) {
  const sent: { event: string; data: Record<string, unknown> }[] = [];
  const closed: string[] = [];
  const runs: FakeRun[] = [];
  const socket = {
    result: 1 as SendResult,
    buffered: 0,
    send(text: string) {
      sent.push(JSON.parse(text) as (typeof sent)[number]);
      return this.result;
    },
    bufferedBytes() {
      return this.buffered;
    },
    close: (name: string) => void closed.push(name),
  };
  const state = { draining: false, available: true };
  const session = new Session({
    client: { origin: '', address: 'a', addressHash: 'h', siteHash: '' },
    socket,
    deps: {
      admit: () => admission,
      submit: (_, listener) => {
        const run = new FakeRun(listener);
        runs.push(run);
        return run;
      },
      resume: ({ key, after }, listener) => {
        const run = new FakeRun(listener);
        run.calls.push(`resume ${key} ${after}`);
        runs.push(run);
        return run;
      },
      hello: () => '{"event":"hello","data":{}}',
      draining: () => state.draining,
      available: () => state.available,
      settings: {
        framesPerSecond: 20,
        runsPerSocket: 2,
        outboxBytes: 1000,
        slowClientMs: 500,
        firstFrameMs: 1000,
        idleMs: 3000,
      },
      metrics: {
        frame: () => undefined,
        refused: () => undefined,
        closing: () => undefined,
        congested: () => undefined,
      },
    },
  });
  const frame = (event: string, data: Record<string, unknown> = {}) => session.text(JSON.stringify({ event, data }));
  const run = (name?: string) =>
    frame('run_code', { code: '1', language: 'x', token: 't', ...(name === undefined ? {} : { run: name }) });
  return {
    session,
    socket,
    sent,
    closed,
    runs,
    state,
    frame,
    run,
    errors: () => sent.flatMap(({ data }) => data['code'] ?? []),
  };
}

test('sends hello first, and answers ping with its own data', () => {
  const { sent, frame } = setup();
  frame('ping', { a: [1] });
  expect(sent).toEqual([
    { event: 'hello', data: {} },
    { event: 'pong', data: { a: [1] } },
  ]);
});

test('frames go to the run that they name', () => {
  const { frame, run, runs } = setup();
  run();
  run('b');
  frame('stdin', { text: 'x' });
  frame('stdin', { run: 'b', text: 'y' });
  frame('stdin_close', { run: 'b' });
  frame('signal', { name: 'SIGINT' });
  frame('resize', { cols: 1, rows: 2 });
  frame('stop', { run: 'b' });
  expect(runs.map(({ calls }) => calls)).toEqual([
    ['stdin x', 'SIGINT', '1x2'],
    ['stdin y', 'close', 'stop'],
  ]);
});

test('events carry the name, and none where there is none', () => {
  const { run, runs, sent } = setup();
  run();
  run('b');
  for (const { listener } of runs) listener.queued(0);
  runs[1]?.listener.output({ kind: 'stdout', text: 'x', seq: 1 });
  expect(sent.slice(1)).toEqual([
    { event: 'queued', data: { position: 0 } },
    { event: 'queued', data: { run: 'b', position: 0 } },
    { event: 'stdout', data: { run: 'b', text: 'x', seq: 1 } },
  ]);
});

test('a live name is refused, an ended one is free; a frame for it is ignored, one for an unknown name is not', () => {
  const { frame, run, runs, errors } = setup();
  run('a');
  run('a');
  expect(errors()).toEqual(['run_in_progress']);
  runs[0]?.exit();
  frame('stdin', { run: 'a', text: 'late' });
  frame('stop', { run: 'a' });
  expect(runs[0]?.calls).toEqual([]);
  frame('stdin', { run: 'z', text: '' });
  run('a');
  expect(errors().slice(1)).toEqual([0, 'no_such_run']);
  expect(runs).toHaveLength(2);
});

test('runs of a socket are bounded; a draining gateway takes none', () => {
  const { run, runs, errors, state } = setup();
  run('a');
  run('b');
  run('c');
  runs[0]?.exit();
  state.draining = true;
  run('d');
  expect(errors()).toEqual(['too_many_runs', 0, 'draining']);
});

test('a queue that cannot be reached is said at once', () => {
  const { run, errors, state } = setup();
  state.available = false;
  run('a');
  expect(errors()).toEqual(['unavailable']);
});

test('treats resume like a new run: bounded and named, with its own events', () => {
  const { frame, run, runs, errors, sent } = setup();
  const key = `run00001.${'k'.repeat(22)}.2`;
  frame('resume', { run: 'a', key, after: 4 });
  frame('resume', { run: 'a', key, after: 4 });
  frame('resume', { run: 'b', key: 'nonsense', after: 4 });
  runs[0]?.listener.resumed({ replayedFrom: 5, stdinBytes: 6 });
  frame('stdin', { run: 'a', text: 'x' });
  expect(runs[0]?.calls).toEqual([`resume ${key} 4`, 'stdin x']);
  expect(sent.at(-1)).toEqual({ event: 'resumed', data: { run: 'a', replayed_from: 5, stdin_bytes: 6 } });
  runs[0]?.listener.ended({ kind: 'error', code: 'resume_gap', message: '', replayFrom: 9 });
  expect(sent.at(-1)?.data).toMatchObject({ run: 'a', code: 'resume_gap', replay_from: 9 });
  run('b');
  run('c');
  frame('resume', { run: 'd', key, after: 0 });
  expect(errors()).toEqual(['run_in_progress', 'invalid_frame', 'resume_gap', 'too_many_runs']);
});

test('leaves started runs to be resumed when the gateway shuts down; a socket is movable when all of its runs are', () => {
  const { session, run, runs, closed } = setup();
  expect(session.movable).toBe(true);
  run('a');
  run('b');
  if (runs[0] !== undefined) runs[0].movable = true;
  expect(session.movable).toBe(false);
  session.close('restart');
  expect(closed).toEqual(['restart']);
  expect(runs.map(({ calls }) => calls)).toEqual([
    ['leave', 'abandon'],
    ['leave', 'abandon'],
  ]);
});

test('an input that does not fit is answered with stdin_full', () => {
  const { frame, run, runs, errors } = setup();
  run('a');
  const [first] = runs;
  if (first !== undefined) first.answer = 'full';
  frame('stdin', { run: 'a', text: 'x' });
  expect(errors()).toEqual(['stdin_full']);
});

test('five refused tokens in a row close the socket; an accepted one starts the count again', () => {
  const refused = setup({ ok: false, code: 'token_invalid', message: '' });
  for (let i = 0; i < 5; i++) refused.run();
  expect(refused.errors()).toHaveLength(5);
  expect(refused.closed).toEqual(['unauthorized']);
  const mixed = setup();
  for (let i = 0; i < 12; i++) {
    mixed.run();
    if (i % 4 === 0) {
      mixed.runs.at(-1)?.listener.queued(0);
      mixed.runs.at(-1)?.exit();
    } else mixed.runs.at(-1)?.listener.ended({ kind: 'error', code: 'token_replayed', message: '' });
  }
  expect(mixed.closed).toEqual([]);
});

test('a socket that falls behind pauses its runs, also a new one, and resumes them when it has caught up', () => {
  const { session, socket, run, runs } = setup();
  run('a');
  socket.result = 0;
  socket.buffered = 500;
  runs[0]?.listener.output({ kind: 'stdout', text: 'x', seq: 1 });
  runs[0]?.listener.output({ kind: 'stdout', text: 'y', seq: 2 });
  run('b');
  socket.buffered = 0;
  session.drained();
  session.drained();
  expect(runs.map(({ calls }) => calls)).toEqual([
    ['pause', 'resume'],
    ['pause', 'resume'],
  ]);
});

test.each<[string, SendResult, number]>([
  ['a dropped frame', 2, 0],
  ['too much unsent', 0, 1001],
])('%s closes as slow, the runs are abandoned, and nothing more is sent', (_, result, buffered) => {
  const { socket, run, runs, closed, sent } = setup();
  run('a');
  Object.assign(socket, { result, buffered });
  for (let i = 0; i < 3; i++) runs[0]?.listener.output({ kind: 'stdout', text: 'x', seq: 1 });
  expect(closed).toEqual(['slowClient']);
  expect(runs[0]?.calls).toContain('abandon');
  expect(sent.filter(({ event }) => event === 'stdout')).toHaveLength(1);
});

test('one that stays behind is closed', () => {
  const { session, socket, frame, closed } = setup();
  Object.assign(socket, { result: 0, buffered: 900 });
  frame('ping');
  vi.advanceTimersByTime(501);
  session.tick();
  expect(closed).toEqual(['slowClient']);
});

test('too many frames close; control frames count, and are no sign of use', () => {
  const { session, frame, closed } = setup();
  for (let i = 0; i < 10; i++) frame('ping');
  for (let i = 0; i < 11; i++) session.control();
  expect(closed).toEqual(['rate']);
  frame('ping');
  expect(closed).toHaveLength(1);
});

test('first frame and idle time-outs; a live run keeps the socket', () => {
  const fresh = setup();
  vi.advanceTimersByTime(900);
  fresh.session.control();
  vi.advanceTimersByTime(101);
  fresh.session.tick();
  expect(fresh.closed).toEqual(['firstFrame']);
  const used = setup();
  used.run('a');
  vi.advanceTimersByTime(10_000);
  used.session.tick();
  expect(used.closed).toEqual([]);
  used.runs[0]?.exit();
  used.session.tick();
  expect(used.closed).toEqual(['idle']);
});

test('a frame that the parser refuses closes or is answered', () => {
  const { session, closed, errors, frame } = setup();
  frame('drop_tables');
  expect(errors()).toEqual(['unknown_event']);
  session.text('nonsense');
  expect(closed).toEqual(['badFrame']);
});
