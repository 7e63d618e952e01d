// Tests of the promise: after submit, exactly one end, whatever Redis, the worker and the client do. Fake clock, fake stream.
import { createLogger } from '@rungrid/kit/logger';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { RunEvent } from '@rungrid/proto/gen/rungrid/v1/runner';
import { Router } from './router.js';
import type { Held, RunEnd, RunListener, RunSpec, RunStream, RunStreamHandlers, SubmitOutcome } from './types.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

class FakeStream implements RunStream {
  readonly sent: string[] = [];
  readonly calls: string[] = [];
  readonly handlers: RunStreamHandlers;
  constructor(handlers: RunStreamHandlers) {
    this.handlers = handlers;
  }
  send(input: Parameters<RunStream['send']>[0]): void {
    const detail =
      input.$case === 'stdin'
        ? `:${input.value.toString()}`
        : input.$case === 'stop'
          ? `:${input.value.disconnected}`
          : '';
    this.sent.push(input.$case + detail);
  }
  pause = () => void this.calls.push('pause');
  resume = () => void this.calls.push('resume');
  finish = () => void this.calls.push('finish');
  cancel = () => void this.calls.push('cancel');
  event(seq: number, event: NonNullable<RunEvent['event']>): void {
    this.handlers.event({ seq, event });
  }
  started(): void {
    this.event(1, { $case: 'started', value: { language: 'x', version: '1', warm: true, atUs: 0 } });
  }
  exit(seq: number, reason = 'exited'): void {
    this.event(seq, { $case: 'exit', value: { code: 0, reason, truncated: false } });
  }
}

function setup(options: { onDisconnect?: 'keep'; queueTtlMs?: number } = {}) {
  const { onDisconnect, queueTtlMs = 1000 } = options;
  const streams: FakeStream[] = [];
  const heard: string[] = [];
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
    queued: (position) => void heard.push(`queued ${position}`),
    resumed: ({ replayedFrom, stdinBytes }) => void heard.push(`resumed ${replayedFrom} ${stdinBytes}`),
    output: (output) => void heard.push('text' in output ? `${output.kind} ${output.text}` : output.kind),
    ended: (end) => {
      ends.push(end);
      heard.push(end.kind === 'exit' ? `exit ${end.reason}` : `error ${end.code}`);
    },
  };
  const spec: RunSpec = {
    request: {
      run: 'run00001',
      key: 'k'.repeat(22),
      gateway: 'gateway1',
      language: 'x',
      code: '',
      files: [],
      args: [],
      limits: {},
      ...(onDisconnect === undefined ? {} : { on_disconnect: onDisconnect }),
      accepted_us: 0,
    },
    nonceKey: 'n',
    nonceTtlMs: 1,
    addressHash: 'a',
    siteHash: '',
    wallMs: 5000,
  };
  const run = router.submit(spec, listener);
  const claim = (epoch = 1) => router.offered({ run: 'run00001', epoch, worker: 'w', address: 'host:1' });
  const assign = (first: RunEvent = { seq: 0 }, run = 'run00001') =>
    router.offered({
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
    heard,
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
    claim,
    assign,
    ok,
    stream: () => streams[0] as FakeStream,
  };
}

test('the straight way', async () => {
  const { ok, claim, stream, heard, router } = setup();
  await ok();
  claim();
  stream().started();
  stream().event(2, { $case: 'stdout', value: Buffer.from('a') });
  stream().exit(3);
  expect(heard).toEqual(['queued 3', 'started', 'stdout a', 'exit exited']);
  expect(stream().calls).toEqual(['finish']);
  expect(router.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test('a run that comes on a parked stream is not attached to, and its first event is heard with it', async () => {
  const { ok, assign, stream, heard, run } = setup();
  run.stdin('typed before');
  await ok();
  assign({ seq: 1, event: { $case: 'started', value: { language: 'x', version: '1', warm: true, atUs: 0 } } });
  expect(stream().sent).toEqual(['stdin:typed before']);
  stream().event(2, { $case: 'stdout', value: Buffer.from('a') });
  stream().exit(3);
  expect(heard).toEqual(['queued 3', 'started', 'stdout a', 'exit exited']);
  expect(stream().calls).toEqual(['finish']);
});

test('what comes on a parked stream for nobody, or a second time, is stopped there and nowhere else', async () => {
  const { ok, assign, streams, heard, orphanedClaim, router } = setup();
  await ok();
  assign();
  assign();
  assign({ seq: 0 }, 'unknown1');
  expect(streams.map(({ sent }) => sent)).toEqual([[], ['stop:true'], ['stop:true']]);
  expect(orphanedClaim).toHaveBeenCalledTimes(2);
  streams[0]?.started();
  streams[0]?.exit(2);
  expect(heard).toEqual(['queued 3', 'started', 'exit exited']);
  await router.close(10);
  expect(vi.getTimerCount()).toBe(0);
});

test('a claim that outruns Redis’s answer is attached at once, and queued still comes first and once', async () => {
  const { ok, claim, stream, heard } = setup();
  claim();
  stream().started();
  await ok();
  stream().exit(2);
  expect(heard).toEqual(['queued 0', 'started', 'exit exited']);
});

test('inputs before the claim are sent behind the attach in order, texts joined', async () => {
  const { ok, claim, stream, run } = setup();
  run.stdin('a');
  run.stdin('b');
  run.signal('SIGINT');
  await ok();
  run.stdin('c');
  run.stdinClose();
  expect(run.stdin('late')).toBe('ignored');
  claim();
  expect(stream().sent).toEqual(['attach', 'stdin:ab', 'signal', 'stdin:c', 'stdinClose']);
});

test('stdin is bounded before and after the start; what is consumed makes room', async () => {
  const { ok, claim, stream, run } = setup();
  expect(run.stdin('x'.repeat(65_536))).toBe('ok');
  expect(run.stdin('x')).toBe('full');
  await ok();
  claim();
  expect(run.stdin('x')).toBe('full');
  stream().started();
  for (let i = 0; i < 3; i++) expect(run.stdin('x'.repeat(65_536))).toBe('ok');
  expect(run.stdin('x')).toBe('full');
  stream().event(0, { $case: 'stdinConsumed', value: 10 });
  expect(run.stdin('x'.repeat(10))).toBe('ok');
  expect(run.stdin('x')).toBe('full');
});

test('more controls than may wait are refused', () => {
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
])('Redis refuses with %j', async (outcome, expected) => {
  const { submit, heard, router } = setup();
  submit.resolve(outcome);
  await vi.advanceTimersByTimeAsync(0);
  expect(heard).toEqual([expected]);
  expect(router.size).toBe(0);
});

test('submit fails: unavailable, and a claim that comes all the same is stopped', async () => {
  const { submit, heard, claim, stream, cancel } = setup();
  submit.reject(new Error('down'));
  await vi.advanceTimersByTimeAsync(0);
  expect(heard).toEqual(['error unavailable']);
  expect(cancel).toHaveBeenCalledOnce();
  claim();
  expect(stream().sent).toEqual(['attach', 'stop:true']);
  await vi.advanceTimersByTimeAsync(5000);
  expect(stream().calls).toEqual(['cancel']);
});

test('Redis never answers: unavailable after the queue’s time, and an answer that comes later cancels the run', async () => {
  const { ok, heard, cancel } = setup();
  await vi.advanceTimersByTimeAsync(1000);
  expect(heard).toEqual(['error unavailable']);
  await ok();
  expect(heard).toHaveLength(1);
  expect(cancel).toHaveBeenCalledOnce();
});

test('nobody takes it: queue_timeout', async () => {
  const { ok, heard } = setup();
  await ok();
  await vi.advanceTimersByTimeAsync(1000);
  expect(heard).toEqual(['queued 3', 'error queue_timeout']);
});

test('the claim wins against the timeout: the run goes on', async () => {
  const { ok, heard, cancel, claim, stream } = setup();
  cancel.mockResolvedValue(false);
  await ok();
  await vi.advanceTimersByTimeAsync(1500);
  claim();
  stream().started();
  stream().exit(2);
  expect(heard).toEqual(['queued 3', 'started', 'exit exited']);
});

test('Redis is wiped while it waits: queue_timeout within two seconds more, and a late claim is stopped', async () => {
  const { ok, heard, cancel, claim, stream } = setup();
  cancel.mockReturnValue(new Promise(() => undefined));
  await ok();
  await vi.advanceTimersByTimeAsync(3000);
  expect(heard).toEqual(['queued 3', 'error queue_timeout']);
  claim();
  expect(stream().sent).toEqual(['attach', 'stop:true']);
});

test('stop before the claim: exit stopped without a worker; with the claim under way, the worker is told', async () => {
  const first = setup();
  first.run.stop();
  await first.ok();
  expect(first.heard).toEqual(['queued 3', 'exit stopped']);
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
  expect(second.heard).toEqual(['queued 3', 'exit stopped']);
});

test('a worker that does not obey stop is lost after five seconds', async () => {
  const { ok, claim, stream, run, heard } = setup();
  await ok();
  claim();
  stream().started();
  run.stop();
  await vi.advanceTimersByTimeAsync(5000);
  expect(heard.at(-1)).toBe('error worker_lost');
  expect(stream().calls).toEqual(['cancel']);
});

test('a claimed run that never starts, and one that outlives its wall clock, end', async () => {
  const first = setup();
  await first.ok();
  first.claim();
  await vi.advanceTimersByTimeAsync(2000);
  expect(first.heard.at(-1)).toBe('error start_failed');
  const second = setup();
  await second.ok();
  second.claim();
  second.stream().started();
  await vi.advanceTimersByTimeAsync(7999);
  expect(second.ends).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(second.heard.at(-1)).toBe('error worker_lost');
});

test('while its client does not read, the deadline waits', async () => {
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
] as const)('the stream of a started run ends with %s: %s', async (kind, expected) => {
  const { ok, claim, stream, heard } = setup();
  await ok();
  claim();
  stream().started();
  stream().handlers.end({ kind, message: '' });
  expect(heard.at(-1)).toBe(expected);
});

test('a hole ends the run, a repeat is dropped, and nothing comes after the end', async () => {
  const { ok, claim, stream, heard } = setup();
  await ok();
  claim();
  stream().started();
  stream().event(1, { $case: 'stdout', value: Buffer.from('repeat') });
  stream().event(3, { $case: 'stdout', value: Buffer.from('after the hole') });
  stream().exit(4);
  stream().handlers.end(undefined);
  expect(heard).toEqual(['queued 3', 'started', 'error worker_lost']);
});

test('an end that is none of the list is internal', async () => {
  const { ok, claim, stream, heard } = setup();
  await ok();
  claim();
  stream().exit(1, 'because');
  expect(heard.at(-1)).toBe('error internal');
});

test('abandon: attached runs are stopped, queued ones cancelled, submitting ones as soon as Redis answers; nobody hears', async () => {
  const attached = setup();
  await attached.ok();
  attached.claim();
  attached.run.pause();
  attached.run.abandon();
  expect(attached.stream().sent).toEqual(['attach', 'stop:true']);
  expect(attached.stream().calls).toEqual(['pause', 'resume']);
  attached.stream().exit(1, 'disconnected');
  expect(attached.heard).toEqual(['queued 3']);
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
  expect(submitting.heard).toEqual([]);
});

test('a second claim of a live run opens nothing', async () => {
  const { ok, claim, streams, orphanedClaim } = setup();
  await ok();
  claim();
  claim();
  expect(streams).toHaveLength(1);
  expect(orphanedClaim).toHaveBeenCalledOnce();
});

test('close abandons all runs and waits for the workers, but not for ever', async () => {
  const { ok, claim, stream, router } = setup();
  await ok();
  claim();
  const closed = router.close(4000);
  expect(stream().sent).toContain('stop:true');
  await vi.advanceTimersByTimeAsync(4000);
  await closed;
});

test('a worker that is lost before the start: another one gets the run, with all that was typed; the first says nothing any more', async () => {
  const { ok, claim, streams, heard, run, requeue } = setup();
  await ok();
  run.stdin('before');
  claim();
  run.stdin(' and after');
  run.stdinClose();
  streams[0]?.handlers.end({ kind: 'lost', message: '' });
  expect(requeue).toHaveBeenCalledExactlyOnceWith(run.spec, 1);
  claim(); // of the lost one, told late
  expect(streams).toHaveLength(1);
  claim(2);
  expect(streams[1]?.sent).toEqual(['attach', 'stdin:before and after', 'stdinClose']);
  streams[1]?.started();
  streams[0]?.started();
  streams[1]?.exit(2);
  expect(heard).toEqual(['queued 3', 'started', 'exit exited']);
  expect(vi.getTimerCount()).toBe(0);
});

test('two workers lost with it: poison, and an operator finds it', async () => {
  const { ok, claim, streams, heard, deadLetter, run } = setup();
  await ok();
  claim();
  streams[0]?.handlers.end({ kind: 'lost', message: '' });
  claim(2);
  streams[1]?.handlers.end({ kind: 'lost', message: '' });
  expect(heard).toEqual(['queued 3', 'error poison']);
  expect(deadLetter).toHaveBeenCalledExactlyOnceWith(run.spec);
});

test('handed back by a worker that goes away, however often: queued again, until its time is over', async () => {
  const { ok, claim, streams, heard, deadLetter } = setup();
  await ok();
  for (const epoch of [1, 2, 3]) {
    claim(epoch);
    streams[epoch - 1]?.event(1, { $case: 'error', value: { code: 'worker_lost', message: 'stopping' } });
  }
  await vi.advanceTimersByTimeAsync(7000);
  expect(heard).toEqual(['queued 3', 'error queue_timeout']);
  expect(deadLetter).not.toHaveBeenCalled();
});

test('one that has said something, or was stopped, is not tried again', async () => {
  const spoke = setup();
  await spoke.ok();
  spoke.claim();
  spoke.stream().event(1, { $case: 'compile', value: Buffer.from('warning') });
  spoke.stream().handlers.end({ kind: 'lost', message: '' });
  expect(spoke.heard.at(-1)).toBe('error worker_lost');
  const stopped = setup();
  await stopped.ok();
  stopped.claim();
  stopped.run.stop();
  stopped.stream().handlers.end({ kind: 'lost', message: '' });
  expect(stopped.heard.at(-1)).toBe('error worker_lost');
  expect(stopped.requeue).not.toHaveBeenCalled();
});

test('a claim that was never told is found: a living worker is attached to, a dead one’s run is queued again', async () => {
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

test('keep: a client that goes leaves its started run to the worker; one that has not started is killed', async () => {
  const started = setup({ onDisconnect: 'keep' });
  await started.ok();
  started.claim();
  started.stream().started();
  started.run.abandon();
  expect(started.stream().sent).toEqual(['attach', 'leave']);
  expect(started.stream().calls).toEqual(['finish']);
  expect(started.router.size).toBe(0);
  const early = setup({ onDisconnect: 'keep' });
  await early.ok();
  early.claim();
  early.run.abandon();
  expect(early.stream().sent).toEqual(['attach', 'stop:true']);
});

test('a gateway that goes away: what has started is left, what has not is told of', async () => {
  const started = setup();
  await started.ok();
  started.claim();
  started.stream().started();
  started.run.leave();
  expect(started.stream().sent).toEqual(['attach', 'leave']);
  expect(started.heard).toEqual(['queued 3', 'started']);
  const queued = setup();
  await queued.ok();
  queued.run.leave();
  await vi.advanceTimersByTimeAsync(0);
  expect(queued.heard).toEqual(['queued 3', 'error draining']);
  expect(queued.cancel).toHaveBeenCalledOnce();
});

describe('a client that comes back', () => {
  const KEY = `run00001.${'k'.repeat(22)}.2`;
  const HELD = { epoch: 2, worker: 'w', address: 'host:1' };
  const point = (replayFrom: number) => ({
    replayFrom,
    stdinReceived: 7,
    stdinUnread: 0,
    wallLeftMs: 1000,
    language: 'x',
  });
  async function back(held: Held | undefined) {
    const parts = setup();
    parts.find.mockResolvedValue(held);
    parts.heard.length = 0;
    const run = parts.router.resume({ key: KEY, after: 4 }, parts.listener);
    run.stdin('early');
    await vi.advanceTimersByTimeAsync(0);
    return { ...parts, run };
  }

  test('hears what it missed, and goes on', async () => {
    const { heard, stream, run, router } = await back(HELD);
    stream().handlers.event({ seq: 0, attached: point(5) });
    stream().event(5, { $case: 'stdout', value: Buffer.from('missed') });
    run.stdin(' late');
    stream().exit(6);
    expect(heard).toEqual(['resumed 5 7', 'stdout missed', 'exit exited']);
    expect(stream().sent).toEqual(['attach', 'stdin:early', 'stdin: late']);
    expect(stream().calls).toEqual(['finish']);
    expect(router.size).toBe(1); // the other one of the set-up
  });

  test('is told of a hole, and of where it ends', async () => {
    const { ends, stream } = await back(HELD);
    stream().handlers.event({ seq: 0, attached: point(9) });
    stream().handlers.end({ kind: 'out_of_range', message: '' });
    expect(ends).toMatchObject([{ code: 'resume_gap', replayFrom: 9 }]);
  });

  test.each(['not_found', 'denied', 'lost'] as const)('%s: resume_failed', async (kind) => {
    const { heard, stream } = await back(HELD);
    stream().handlers.end({ kind, message: '' });
    expect(heard).toEqual(['error resume_failed']);
  });

  test('nobody holds it: resume_failed; Redis does not say: unavailable; nor does the worker', async () => {
    expect((await back(undefined)).heard).toEqual(['error resume_failed']);
    const asked = setup();
    asked.find.mockRejectedValue(new Error('down'));
    asked.router.resume({ key: KEY, after: 0 }, asked.listener);
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.heard).toEqual(['error unavailable']);
    const silent = await back(HELD);
    await vi.advanceTimersByTimeAsync(5000);
    expect(silent.heard).toContain('error unavailable');
  });

  test('is lost again: the run waits again; its worker is lost: worker_lost', async () => {
    const gone = await back(HELD);
    gone.stream().handlers.event({ seq: 0, attached: point(5) });
    gone.run.abandon();
    expect(gone.stream().sent.at(-1)).toBe('leave');
    const lost = await back(HELD);
    lost.stream().handlers.event({ seq: 0, attached: point(5) });
    lost.stream().handlers.end({ kind: 'lost', message: '' });
    expect(lost.heard).toEqual(['resumed 5 7', 'error worker_lost']);
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
