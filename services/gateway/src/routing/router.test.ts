// Tests of the promise: after submit, exactly one end, whatever Redis, the worker and the client do. Fake clock, fake stream.
import { createLogger } from '@rungrid/kit/logger';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { RunEvent } from '@rungrid/proto/gen/rungrid/v1/runner';
import { Router } from './router.js';
import type { RunEnd, RunListener, RunSpec, RunStream, RunStreamHandlers, SubmitOutcome } from './types.js';

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

function setup() {
  const streams: FakeStream[] = [];
  const heard: string[] = [];
  const ends: RunEnd[] = [];
  const submit = deferred<SubmitOutcome>();
  const cancel = vi.fn<() => Promise<boolean>>(() => Promise.resolve(true));
  const strayClaim = vi.fn();
  const router = new Router({
    registry: { submit: () => submit.promise, cancel },
    openStream: (_, handlers) => {
      const stream = new FakeStream(handlers);
      streams.push(stream);
      return stream;
    },
    metrics: { hop: () => undefined, ended: () => undefined, strayClaim, streamViolation: () => undefined },
    settings: { queueTtlMs: 1000, startMs: 2000 },
    logger: createLogger({ service: 'test', level: 'silent' }),
  });
  const listener: RunListener = {
    queued: (position) => void heard.push(`queued ${position}`),
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
      accepted_us: 0,
    },
    nonceKey: 'n',
    nonceTtlMs: 1,
    addressHash: 'a',
    wallMs: 5000,
  };
  const run = router.submit(spec, listener);
  const claim = () => router.offered({ run: 'run00001', epoch: 1, worker: 'w', address: 'host:1' });
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
    strayClaim,
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
  stream().event(2, { $case: 'stdout', value: 'a' });
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
  stream().event(2, { $case: 'stdout', value: 'a' });
  stream().exit(3);
  expect(heard).toEqual(['queued 3', 'started', 'stdout a', 'exit exited']);
  expect(stream().calls).toEqual(['finish']);
});

test('what comes on a parked stream for nobody, or a second time, is stopped there and nowhere else', async () => {
  const { ok, assign, streams, heard, strayClaim, router } = setup();
  await ok();
  assign();
  assign();
  assign({ seq: 0 }, 'unknown1');
  expect(streams.map(({ sent }) => sent)).toEqual([[], ['stop:true'], ['stop:true']]);
  expect(strayClaim).toHaveBeenCalledTimes(2);
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
  [{ outcome: 'full', length: 9 }, 'error overloaded'],
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
  ['denied', 'error internal'],
] as const)('the stream ends with %s: %s', async (kind, expected) => {
  const { ok, claim, stream, heard } = setup();
  await ok();
  claim();
  stream().handlers.end({ kind, message: '' });
  expect(heard.at(-1)).toBe(expected);
});

test('a hole ends the run, a repeat is dropped, and nothing comes after the end', async () => {
  const { ok, claim, stream, heard } = setup();
  await ok();
  claim();
  stream().started();
  stream().event(1, { $case: 'stdout', value: 'repeat' });
  stream().event(3, { $case: 'stdout', value: 'after the hole' });
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
  const { ok, claim, streams, strayClaim } = setup();
  await ok();
  claim();
  claim();
  expect(streams).toHaveLength(1);
  expect(strayClaim).toHaveBeenCalledOnce();
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

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void; reject: (error: unknown) => void } {
  let resolve: (value: T) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
