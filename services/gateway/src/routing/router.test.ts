// Rules of routing: after submit exactly one end, whatever Redis, the worker and the client do. Fake clock, fake stream.
import { createLogger } from '@rungrid/kit/logger';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { EndReason } from '@rungrid/proto/limits';
import { Router } from './router.js';
import type {
  Held,
  RunEnd,
  RunListener,
  RunSpec,
  RunStream,
  RunStreamHandlers,
  SubmitOutcome,
  WorkerEvent,
  WorkerInput,
} from './types.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const STARTED: WorkerEvent = { kind: 'started', language: 'x', version: '1', warm: true, seq: 1 };

class FakeStream implements RunStream {
  readonly sent: string[] = [];
  readonly calls: string[] = [];
  readonly handlers: RunStreamHandlers;
  constructor(handlers: RunStreamHandlers) {
    this.handlers = handlers;
  }
  send(input: WorkerInput): void {
    const detail = input.kind === 'stdin' ? `:${input.text}` : input.kind === 'stop' ? `:${input.disconnected}` : '';
    this.sent.push(input.kind + detail);
  }
  pause = () => void this.calls.push('pause');
  resume = () => void this.calls.push('resume');
  finish = () => void this.calls.push('finish');
  cancel = () => void this.calls.push('cancel');
  event(event: WorkerEvent): void {
    this.handlers.event(event);
  }
  stdout(seq: number, text: string): void {
    this.event({ kind: 'stdout', text, seq });
  }
  started(): void {
    this.event(STARTED);
  }
  exit(seq: number, reason: EndReason = 'exited'): void {
    const usage = { wall_ms: 0, cpu_ms: 0, memory_bytes: 0, output_bytes: 0 };
    this.event({ kind: 'exit', code: 0, signal: null, reason, usage, truncated: false, seq });
  }
}

function setup(options: { keep?: boolean; queueTtlMs?: number } = {}) {
  const { keep = false, queueTtlMs = 1000 } = options;
  const streams: FakeStream[] = [];
  const received: string[] = [];
  const ends: RunEnd[] = [];
  const submit = deferred<SubmitOutcome>();
  const cancel = vi.fn<() => Promise<boolean>>(() => Promise.resolve(true));
  const orphanedClaim = vi.fn();
  const requeue = vi.fn<(spec: RunSpec, epoch: number) => Promise<Held | undefined>>(() => Promise.resolve(undefined));
  const find = vi.fn<() => Promise<Held | undefined>>(() => Promise.resolve(undefined));
  const deadLetter = vi.fn(() => Promise.resolve());
  const alive = new Set<string>();
  const router = new Router({
    registry: { submit: () => submit.promise, cancel, requeue, find, deadLetter },
    openStream: (_, handlers) => {
      const stream = new FakeStream(handlers);
      streams.push(stream);
      return stream;
    },
    metrics: {
      stage: () => undefined,
      ended: () => undefined,
      orphanedClaim,
      requeued: () => undefined,
      resume: () => undefined,
      streamViolation: () => undefined,
    },
    isAlive: (worker) => alive.has(worker),
    settings: { queueTtlMs, startMs: 2000 },
    logger: createLogger({ service: 'test', level: 'silent' }),
  });
  const listener: RunListener = {
    queued: (position) => void received.push(`queued ${position}`),
    resumed: ({ replayedFrom, stdinBytes }) => void received.push(`resumed ${replayedFrom} ${stdinBytes}`),
    output: (output) => void received.push('text' in output ? `${output.kind} ${output.text}` : output.kind),
    ended: (end) => {
      ends.push(end);
      received.push(end.kind === 'exit' ? `exit ${end.reason}` : `error ${end.code}`);
    },
  };
  const spec: RunSpec = {
    runId: 'run00001',
    key: 'k'.repeat(22),
    language: 'x',
    request: '{}',
    keep,
    stdinGiven: false,
    nonceKey: 'n',
    nonceTtlMs: 1,
    addressHash: 'a',
    siteHash: '',
    wallMs: 5000,
  };
  const run = router.submit(spec, listener);
  const claim = (epoch = 1) => router.claimed({ run: 'run00001', epoch, worker: 'w', address: 'host:1' });
  const assign = (first?: WorkerEvent, run = 'run00001') =>
    router.claimed({
      run,
      epoch: 1,
      worker: 'w',
      first,
      take: (handlers) => {
        const stream = new FakeStream(handlers);
        streams.push(stream);
        return stream;
      },
    });
  const ok = async () => {
    submit.resolve({ outcome: 'ok', position: 3 });
    await vi.advanceTimersByTimeAsync(0);
  };
  return {
    streams,
    received,
    ends,
    submit,
    cancel,
    orphanedClaim,
    requeue,
    find,
    deadLetter,
    alive,
    listener,
    router,
    run,
    spec,
    claim,
    assign,
    ok,
    stream: () => streams[0] as FakeStream,
  };
}

test('delivers queued, started, output and exit in order, then releases the stream', async () => {
  const { ok, claim, stream, received, router } = setup();
  await ok();
  claim();
  stream().started();
  stream().stdout(2, 'a');
  stream().exit(3);
  expect(received).toEqual(['queued 3', 'started', 'stdout a', 'exit exited']);
  expect(stream().calls).toEqual(['finish']);
  expect(router.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('takes a run on a parked stream without an attach, with the event of its first message', async () => {
  const { ok, assign, stream, received, run } = setup();
  run.stdin('typed before');
  await ok();
  assign(STARTED);
  expect(stream().sent).toEqual(['stdin:typed before']);
  stream().stdout(2, 'a');
  stream().exit(3);
  expect(received).toEqual(['queued 3', 'started', 'stdout a', 'exit exited']);
  expect(stream().calls).toEqual(['finish']);
});

test('stops an orphaned claim on the parked stream that brought it, and nowhere else', async () => {
  const { ok, assign, streams, received, orphanedClaim, router } = setup();
  await ok();
  assign();
  assign();
  assign(undefined, 'unknown1');
  expect(streams.map(({ sent }) => sent)).toEqual([[], ['stop:true'], ['stop:true']]);
  expect(orphanedClaim).toHaveBeenCalledTimes(2);
  streams[0]?.started();
  streams[0]?.exit(2);
  expect(received).toEqual(['queued 3', 'started', 'exit exited']);
  await router.close(10);
  expect(vi.getTimerCount()).toBe(0);
});

test('attaches to a claim that outruns Redis’s answer, and still sends queued first and once', async () => {
  const { ok, claim, stream, received } = setup();
  claim();
  stream().started();
  await ok();
  stream().exit(2);
  expect(received).toEqual(['queued 0', 'started', 'exit exited']);
});

test('sends input from before the claim behind the attach, in order, texts joined', async () => {
  const { ok, claim, stream, run } = setup();
  run.stdin('a');
  run.stdin('b');
  run.signal('SIGINT');
  await ok();
  run.stdin('c');
  run.stdinClose();
  expect(run.stdin('late')).toBe('ignored');
  claim();
  expect(stream().sent).toEqual(['attach', 'stdin:ab', 'signal', 'stdin:c', 'stdin_close']);
});

test('bounds stdin before and after the start; consumed bytes make room', async () => {
  const { ok, claim, stream, run } = setup();
  expect(run.stdin('x'.repeat(65_536))).toBe('ok');
  expect(run.stdin('x')).toBe('full');
  await ok();
  claim();
  expect(run.stdin('x')).toBe('full');
  stream().started();
  for (let i = 0; i < 3; i++) expect(run.stdin('x'.repeat(65_536))).toBe('ok');
  expect(run.stdin('x')).toBe('full');
  stream().event({ kind: 'stdin_consumed', bytes: 10 });
  expect(run.stdin('x'.repeat(10))).toBe('ok');
  expect(run.stdin('x')).toBe('full');
});

test('refuses controls past their bound', () => {
  const { run } = setup();
  for (let i = 0; i < 64; i++) expect(run.signal('SIGINT')).toBe('ok');
  expect(run.signal('SIGINT')).toBe('full');
  expect(run.stop()).toBe('ok');
});

test.each<[SubmitOutcome, string]>([
  [{ outcome: 'replayed' }, 'error token_replayed'],
  [{ outcome: 'rate', retryAfterMs: 7 }, 'error rate_limited'],
  [{ outcome: 'full', retryAfterMs: 9 }, 'error overloaded'],
  [{ outcome: 'share', retryAfterMs: 9 }, 'error overloaded'],
])('ends a run that Redis refuses with %j: %s', async (outcome, expected) => {
  const { submit, received, router } = setup();
  submit.resolve(outcome);
  await vi.advanceTimersByTimeAsync(0);
  expect(received).toEqual([expected]);
  expect(router.size).toBe(0);
});

test('ends a run whose submit failed as unavailable, and stops a claim that comes all the same', async () => {
  const { submit, received, claim, stream, cancel } = setup();
  submit.reject(new Error('down'));
  await vi.advanceTimersByTimeAsync(0);
  expect(received).toEqual(['error unavailable']);
  expect(cancel).toHaveBeenCalledOnce();
  claim();
  expect(stream().sent).toEqual(['attach', 'stop:true']);
  await vi.advanceTimersByTimeAsync(5000);
  expect(stream().calls).toEqual(['cancel']);
});

test('ends a run as unavailable when Redis does not answer within the queue’s time, and cancels it on a later answer', async () => {
  const { ok, received, cancel } = setup();
  await vi.advanceTimersByTimeAsync(1000);
  expect(received).toEqual(['error unavailable']);
  await ok();
  expect(received).toHaveLength(1);
  expect(cancel).toHaveBeenCalledOnce();
});

test('ends a run that no worker claims with queue_timeout', async () => {
  const { ok, received } = setup();
  await ok();
  await vi.advanceTimersByTimeAsync(1000);
  expect(received).toEqual(['queued 3', 'error queue_timeout']);
});

test('continues a run whose claim wins against the queue’s timeout', async () => {
  const { ok, received, cancel, claim, stream } = setup();
  cancel.mockResolvedValue(false);
  await ok();
  await vi.advanceTimersByTimeAsync(1500);
  claim();
  stream().started();
  stream().exit(2);
  expect(received).toEqual(['queued 3', 'started', 'exit exited']);
});

test('ends a run whose cancel is not answered within two seconds, and stops a late claim', async () => {
  const { ok, received, cancel, claim, stream } = setup();
  cancel.mockReturnValue(new Promise(() => undefined));
  await ok();
  await vi.advanceTimersByTimeAsync(3000);
  expect(received).toEqual(['queued 3', 'error queue_timeout']);
  claim();
  expect(stream().sent).toEqual(['attach', 'stop:true']);
});

test('ends a run stopped before its claim without a worker; with the claim under way, the worker gets the stop', async () => {
  const first = setup();
  first.run.stop();
  await first.ok();
  expect(first.received).toEqual(['queued 3', 'exit stopped']);
  expect(first.ends[0]).toMatchObject({ code: null, seq: 1, usage: { wall_ms: 0 } });
  const second = setup();
  second.cancel.mockResolvedValue(false);
  await second.ok();
  second.run.stdin('a');
  second.run.stop();
  await vi.advanceTimersByTimeAsync(0);
  second.claim();
  expect(second.stream().sent).toEqual(['attach', 'stdin:a', 'stop:false']);
  second.stream().exit(1, 'stopped');
  expect(second.received).toEqual(['queued 3', 'exit stopped']);
});

test('ends the run of a worker that ignores stop for five seconds', async () => {
  const { ok, claim, stream, run, received } = setup();
  await ok();
  claim();
  stream().started();
  run.stop();
  await vi.advanceTimersByTimeAsync(5000);
  expect(received.at(-1)).toBe('error worker_lost');
  expect(stream().calls).toEqual(['cancel']);
});

test('ends a claimed run that does not start in time, and one past its wall clock', async () => {
  const first = setup();
  await first.ok();
  first.claim();
  await vi.advanceTimersByTimeAsync(2000);
  expect(first.received.at(-1)).toBe('error start_failed');
  const second = setup();
  await second.ok();
  second.claim();
  second.stream().started();
  await vi.advanceTimersByTimeAsync(7999);
  expect(second.ends).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(second.received.at(-1)).toBe('error worker_lost');
});

test('extends the deadline while the client does not read', async () => {
  const { ok, claim, stream, run, ends } = setup();
  await ok();
  claim();
  stream().started();
  run.pause();
  await vi.advanceTimersByTimeAsync(20_000);
  expect(ends).toHaveLength(0);
  run.resume();
  stream().exit(2, 'wall_limit');
  expect(ends).toMatchObject([{ reason: 'wall_limit' }]);
  expect(stream().calls).toEqual(['pause', 'resume', 'finish']);
});

test.each([
  ['lost', 'error worker_lost'],
  ['not_found', 'error worker_lost'],
  ['out_of_range', 'error worker_lost'],
  ['taken_over', 'error taken_over'],
  ['denied', 'error internal'],
] as const)('ends a started run whose stream ended with %s: %s', async (kind, expected) => {
  const { ok, claim, stream, received } = setup();
  await ok();
  claim();
  stream().started();
  stream().handlers.end({ kind, message: '' });
  expect(received.at(-1)).toBe(expected);
});

test('ends a run at a hole in its events, drops a repeat, and sends nothing after the end', async () => {
  const { ok, claim, stream, received } = setup();
  await ok();
  claim();
  stream().started();
  stream().stdout(1, 'repeat');
  stream().stdout(3, 'after the hole');
  stream().exit(4);
  stream().handlers.end(undefined);
  expect(received).toEqual(['queued 3', 'started', 'error worker_lost']);
});

test('stops an abandoned run that is attached, and cancels one that is queued or being submitted, without another event', async () => {
  const attached = setup();
  await attached.ok();
  attached.claim();
  attached.run.pause();
  attached.run.abandon();
  expect(attached.stream().sent).toEqual(['attach', 'stop:true']);
  expect(attached.stream().calls).toEqual(['pause', 'resume']);
  attached.stream().exit(1, 'disconnected');
  expect(attached.received).toEqual(['queued 3']);
  expect(attached.router.size).toBe(0);
  const queued = setup();
  await queued.ok();
  queued.run.abandon();
  await vi.advanceTimersByTimeAsync(0);
  expect(queued.router.size).toBe(0);
  const submitting = setup();
  submitting.run.abandon();
  expect(submitting.cancel).not.toHaveBeenCalled();
  await submitting.ok();
  expect(submitting.cancel).toHaveBeenCalledOnce();
  expect(submitting.received).toEqual([]);
});

test('opens no stream for a second claim of an attached run', async () => {
  const { ok, claim, streams, orphanedClaim } = setup();
  await ok();
  claim();
  claim();
  expect(streams).toHaveLength(1);
  expect(orphanedClaim).toHaveBeenCalledOnce();
});

test('close abandons all runs and waits a bounded time for the workers', async () => {
  const { ok, claim, stream, router } = setup();
  await ok();
  claim();
  const closed = router.close(4000);
  expect(stream().sent).toContain('stop:true');
  await vi.advanceTimersByTimeAsync(4000);
  await closed;
});

test('gives a run whose worker was lost before the start to another, with all input, and ignores the first from then on', async () => {
  const { ok, claim, streams, received, run, spec, requeue } = setup();
  await ok();
  run.stdin('before');
  claim();
  run.stdin(' and after');
  run.stdinClose();
  streams[0]?.handlers.end({ kind: 'lost', message: '' });
  expect(requeue).toHaveBeenCalledExactlyOnceWith(spec, 1);
  claim(); // of the lost one, late
  expect(streams).toHaveLength(1);
  claim(2);
  expect(streams[1]?.sent).toEqual(['attach', 'stdin:before and after', 'stdin_close']);
  streams[1]?.started();
  streams[0]?.started();
  streams[1]?.exit(2);
  expect(received).toEqual(['queued 3', 'started', 'exit exited']);
  expect(vi.getTimerCount()).toBe(0);
});

test('dead-letters a run that lost two workers, and ends it with poison', async () => {
  const { ok, claim, streams, received, deadLetter } = setup();
  await ok();
  claim();
  streams[0]?.handlers.end({ kind: 'lost', message: '' });
  claim(2);
  streams[1]?.handlers.end({ kind: 'lost', message: '' });
  expect(received).toEqual(['queued 3', 'error poison']);
  expect(deadLetter).toHaveBeenCalledExactlyOnceWith('run00001', 'x');
});

test('queues a run again that draining workers hand back, however often, until its time is over', async () => {
  const { ok, claim, streams, received, deadLetter } = setup();
  await ok();
  for (const epoch of [1, 2, 3]) {
    claim(epoch);
    streams[epoch - 1]?.event({ kind: 'error', code: 'worker_lost', message: 'stopping', seq: 1 });
  }
  await vi.advanceTimersByTimeAsync(7000);
  expect(received).toEqual(['queued 3', 'error queue_timeout']);
  expect(deadLetter).not.toHaveBeenCalled();
});

test('does not retry a run that has shown output or was stopped', async () => {
  const spoke = setup();
  await spoke.ok();
  spoke.claim();
  spoke.stream().event({ kind: 'compile', text: 'warning', seq: 1 });
  spoke.stream().handlers.end({ kind: 'lost', message: '' });
  expect(spoke.received.at(-1)).toBe('error worker_lost');
  const stopped = setup();
  await stopped.ok();
  stopped.claim();
  stopped.run.stop();
  stopped.stream().handlers.end({ kind: 'lost', message: '' });
  expect(stopped.received.at(-1)).toBe('error worker_lost');
  expect(stopped.requeue).not.toHaveBeenCalled();
});

test('finds a claim whose notice was lost: attaches to a living worker, requeues the run of a dead one', async () => {
  const HELD = { epoch: 1, worker: 'w', address: 'host:1' };
  const living = setup({ queueTtlMs: 60_000 });
  living.alive.add('w');
  living.requeue.mockResolvedValue(HELD);
  await living.ok();
  await vi.advanceTimersByTimeAsync(5000);
  expect(living.stream().sent).toEqual(['attach']);
  const dead = setup({ queueTtlMs: 60_000 });
  dead.requeue.mockResolvedValueOnce(HELD);
  await dead.ok();
  await vi.advanceTimersByTimeAsync(5000);
  expect(dead.requeue.mock.calls.map(([, epoch]) => epoch)).toEqual([0, 1]);
  dead.claim(1);
  expect(dead.streams).toHaveLength(0);
  dead.claim(2);
  expect(dead.streams).toHaveLength(1);
});

test('with keep, leaves a started run to its worker when the client disconnects; kills one that has not started', async () => {
  const started = setup({ keep: true });
  await started.ok();
  started.claim();
  started.stream().started();
  started.run.abandon();
  expect(started.stream().sent).toEqual(['attach', 'leave']);
  expect(started.stream().calls).toEqual(['finish']);
  expect(started.router.size).toBe(0);
  const early = setup({ keep: true });
  await early.ok();
  early.claim();
  early.run.abandon();
  expect(early.stream().sent).toEqual(['attach', 'stop:true']);
});

test('a gateway that shuts down leaves started runs to their workers, and ends others with draining', async () => {
  const started = setup();
  await started.ok();
  started.claim();
  started.stream().started();
  started.run.leave();
  expect(started.stream().sent).toEqual(['attach', 'leave']);
  expect(started.received).toEqual(['queued 3', 'started']);
  const queued = setup();
  await queued.ok();
  queued.run.leave();
  await vi.advanceTimersByTimeAsync(0);
  expect(queued.received).toEqual(['queued 3', 'error draining']);
  expect(queued.cancel).toHaveBeenCalledOnce();
});

describe('a client that resumes', () => {
  const KEY = `run00001.${'k'.repeat(22)}.2`;
  const HELD = { epoch: 2, worker: 'w', address: 'host:1' };
  const point = (replayFrom: number): WorkerEvent => ({
    kind: 'attached',
    replayFrom,
    stdinReceived: 7,
    stdinUnread: 0,
    wallLeftMs: 1000,
    language: 'x',
  });
  async function back(held: Held | undefined) {
    const parts = setup();
    parts.find.mockResolvedValue(held);
    parts.received.length = 0;
    const run = parts.router.resume({ key: KEY, after: 4 }, parts.listener);
    run.stdin('early');
    await vi.advanceTimersByTimeAsync(0);
    return { ...parts, run };
  }

  test('gets what it missed, and goes on', async () => {
    const { received, stream, run, router } = await back(HELD);
    stream().event(point(5));
    stream().stdout(5, 'missed');
    run.stdin(' late');
    stream().exit(6);
    expect(received).toEqual(['resumed 5 7', 'stdout missed', 'exit exited']);
    expect(stream().sent).toEqual(['attach', 'stdin:early', 'stdin: late']);
    expect(stream().calls).toEqual(['finish']);
    expect(router.size).toBe(1); // the other one of the set-up
  });

  test('gets resume_gap with the first event that is still held', async () => {
    const { ends, stream } = await back(HELD);
    stream().event(point(9));
    stream().handlers.end({ kind: 'out_of_range', message: '' });
    expect(ends).toMatchObject([{ code: 'resume_gap', replayFrom: 9 }]);
  });

  test.each(['not_found', 'denied', 'lost'] as const)('gets resume_failed after %s', async (kind) => {
    const { received, stream } = await back(HELD);
    stream().handlers.end({ kind, message: '' });
    expect(received).toEqual(['error resume_failed']);
  });

  test('gets resume_failed when no worker holds the run, and unavailable when Redis or the worker does not answer', async () => {
    expect((await back(undefined)).received).toEqual(['error resume_failed']);
    const asked = setup();
    asked.find.mockRejectedValue(new Error('down'));
    asked.router.resume({ key: KEY, after: 0 }, asked.listener);
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.received).toEqual(['error unavailable']);
    const silent = await back(HELD);
    await vi.advanceTimersByTimeAsync(5000);
    expect(silent.received).toContain('error unavailable');
  });

  test('leaves the run to its worker when it disconnects again, and gets worker_lost when the worker is lost', async () => {
    const left = await back(HELD);
    left.stream().event(point(5));
    left.run.abandon();
    expect(left.stream().sent.at(-1)).toBe('leave');
    const lost = await back(HELD);
    lost.stream().event(point(5));
    lost.stream().handlers.end({ kind: 'lost', message: '' });
    expect(lost.received).toEqual(['resumed 5 7', 'error worker_lost']);
  });
});

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
