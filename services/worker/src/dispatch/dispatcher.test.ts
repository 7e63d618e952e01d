// Rules of the dispatcher: a program that needs no compile step is submitted in the turn in which it is read; others after compiling.
import { createLogger } from '@rungrid/kit/logger';
import { TokenBucket } from '@rungrid/kit/token-bucket';
import type { RunRequest } from '@rungrid/proto/stream-entries';
import { encodeStart, FromAgent } from '@rungrid/sandbox/agent-frames';
import type { Language } from '@rungrid/sandbox/languages';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ScriptedSandbox } from '../testkit/scripted-sandbox.js';
import type { ArtifactTicket, CompileFollower, KeptResult } from '../run/artifacts.js';
import { Dispatcher } from './dispatcher.js';
import type { GatewayStream } from './ports.js';
import type { DispatchMetrics } from './ports.js';
import type { RunEvent } from '../run/events.js';
import type { Run } from '../run/run.js';
import { RunTable } from '../run/table.js';

const common = { title: '', aliases: [], version: '1', image: { packages: [] }, env: {}, hello: '', dir: '' };
const PYTHON: Language = { ...common, name: 'python', fileName: 'main.py', warm: ['python3'] };
const C: Language = {
  ...common,
  name: 'c',
  fileName: 'main.c',
  run: ['/tmp/main'],
  compile: { command: ['gcc'], artifact: 'main' },
};
const KEPT: KeptResult = {
  kind: 'compiled',
  artifact: { content: Buffer.from('binary'), diagnostics: Buffer.from('a warning\n') },
};
const REFUSED: KeptResult = {
  kind: 'refused',
  outcome: { reason: 'compile_error', code: 1, signal: undefined },
  diagnostics: Buffer.from('an error\n'),
  final: true,
};

function request(language: string, more: Partial<RunRequest> = {}): RunRequest {
  const fixed = { run: 'run-00000001', key: 'k'.repeat(22), gateway: 'gateway-1', files: [], args: [], limits: {} };
  return { ...fixed, language, code: 'x', accepted_us: 0, ...more };
}

const ignore = (): void => undefined;
const NO_METRICS: DispatchMetrics = {
  queued: ignore,
  claimed: ignore,
  claimLost: ignore,
  live: ignore,
  checkout: ignore,
  started: ignore,
  firstOutput: ignore,
  ended: ignore,
};

/** A dispatcher with a scripted world. `kept`: the result in memory; `warm`, `cold`: whether there are warm sandboxes, or cold starts succeed. */
function make(options: { kept?: KeptResult; warm?: boolean; cold?: boolean; stream?: GatewayStream } = {}) {
  const table = new RunTable({ maxDetached: 8 });
  const asked: string[] = [];
  const sandboxes: ScriptedSandbox[] = [];
  const followers: CompileFollower[] = [];
  const hand = () => {
    const sandbox = new ScriptedSandbox();
    sandboxes.push(sandbox);
    return sandbox.lease();
  };
  let left = 0;
  let reserved = 0;
  let answer: (epoch: number) => void = () => undefined;
  const ticket: ArtifactTicket = {
    kept: options.kept,
    follow: (follower) => {
      followers.push(follower);
      return () => (left += 1);
    },
  };
  const dispatcher = new Dispatcher({
    languages: new Map([PYTHON, C].map((language) => [language.name, language])),
    limits: { wallMs: 60_000, cpuMs: 3000, idleMs: 60_000, outputBytes: 1_000_000 },
    outputBudget: new TokenBucket({ perSecond: 1_000_000, capacity: 100_000 }, performance.now()),
    ringBytes: 65_536,
    unattachedMs: 10_000,
    resumeMs: 30_000,
    pool: {
      tryAcquire: (poolKey) => {
        asked.push(poolKey);
        return options.warm === false ? undefined : hand();
      },
      acquireCold: async (poolKey, signal) => {
        asked.push(`cold ${poolKey}`);
        if (options.cold !== false) return hand();
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      },
      reserve: () => {
        reserved += 1;
        let held = true;
        return () => {
          if (held) reserved -= 1;
          held = false;
        };
      },
    },
    artifacts: { find: () => ticket },
    table,
    streams: { take: () => options.stream },
    claims: { claim: () => new Promise((resolve) => (answer = resolve)), notify: () => undefined },
    metrics: NO_METRICS,
    logger: createLogger({ service: 'test', level: 'silent' }),
  });
  const take = (asks: RunRequest, deliveries = 1): { run: Run; events: RunEvent[]; leave: () => void } => {
    dispatcher.take(asks, { ...FIRST, deliveries });
    const run = table.get(asks.run) as Run;
    const events: RunEvent[] = [];
    const event = (_: number, each: RunEvent): boolean => events.push(each) > 0;
    const sink = { event, stdinConsumed: () => undefined, end: () => undefined };
    run.subscription.attach(sink, 0);
    return { run, events, leave: () => run.subscription.detach(sink) };
  };
  const claim = async (epoch = 1): Promise<void> => {
    answer(epoch);
    await settle();
  };
  return { dispatcher, take, claim, asked, sandboxes, followers, table, left: () => left, reserved: () => reserved };
}

const FIRST = { entryId: '1-1', deliveries: 1 };
const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const texts = (events: RunEvent[]): string[] =>
  events.flatMap((event) => ('bytes' in event ? [`${event.type}: ${event.bytes.toString()}`] : [event.type]));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'Date'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('in the turn in which it is read', () => {
  test('an interpreted program is submitted to its sandbox', () => {
    const { take, asked, sandboxes } = make();
    take(request('python'));
    expect(asked).toEqual(['python']);
    expect(sandboxes[0]?.written).toHaveLength(1);
  });

  test('a compiled program that is in memory is submitted too: the artifact, then START', () => {
    const { take, asked, sandboxes, followers } = make({ kept: KEPT });
    const { events } = take(request('c'));
    expect(asked).toEqual(['c']);
    expect(followers).toHaveLength(0);
    const sent = sandboxes[0]?.written ?? [];
    expect(Buffer.concat(sent).includes('binary')).toBe(true);
    expect(sent.at(-1)).toEqual(
      encodeStart({ files: [{ name: 'main.c', content: 'x' }], run: ['/tmp/main'], args: [] }),
    );
    expect(texts(events)).toEqual(['compile: a warning\n']);
  });

  test('a program on a terminal takes a sandbox with a terminal', () => {
    const { take, asked } = make({ kept: KEPT });
    take(request('python', { tty: { cols: 80, rows: 24 } }));
    take(request('c', { run: 'run-00000002', tty: { cols: 80, rows: 24 } }));
    expect(asked).toEqual(['python/tty', 'c/tty']);
  });
});

test('a request that two workers died with ends as poison, once it is claimed', async () => {
  const { take, claim, asked } = make();
  const { events } = take(request('python'), 3);
  expect(asked).toEqual([]);
  await claim();
  expect(events).toMatchObject([{ type: 'error', code: 'poison' }]);
});

test('a run whose sandbox never becomes ready ends with start_failed after the cold-start timeout', async () => {
  const { take, claim } = make({ warm: false, cold: false });
  const { events } = take(request('python'));
  await claim();
  await vi.advanceTimersByTimeAsync(19_999);
  expect(events).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(events).toMatchObject([{ type: 'error', code: 'start_failed' }]);
  expect(vi.getTimerCount()).toBe(0);
});

test('a request delivered again while its claim is in flight is taken once; a run that was claimed before is abandoned', async () => {
  const { take, claim, asked, table, dispatcher } = make();
  const { run, leave } = take(request('python'));
  dispatcher.take(request('python'), FIRST);
  await claim();
  // Attached to its gateway: a Redis with older data delivers it again.
  dispatcher.take(request('python'), FIRST);
  expect(asked).toEqual(['python']);
  expect(table.get(run.id)).toBe(run);
  leave();
  take(request('python'));
  expect(asked).toEqual(['python', 'python']);
  expect(table.get(run.id)).not.toBe(run);
});

test('a run that its gateway attached to before the reply to the claim keeps that stream; the parked one is released', async () => {
  const stream = { assign: vi.fn(() => true), release: vi.fn() };
  const { take, claim } = make({ stream });
  const { run, leave } = take(request('python'));
  await claim();
  expect(run.subscription.attached).toBe(true);
  expect(stream.assign).not.toHaveBeenCalled();
  expect(stream.release).toHaveBeenCalledTimes(1);
  leave();
});

test('input is reported to the pool through the lease', async () => {
  const { take, sandboxes } = make();
  const { run } = take(request('python'));
  const [sandbox] = sandboxes as [ScriptedSandbox];
  sandbox.says(FromAgent.STARTED);
  expect(sandbox.typedMs).toBeUndefined();
  const beforeMs = performance.now();
  run.writeStdin(Buffer.from('x'));
  expect(sandbox.typedMs).toBeGreaterThanOrEqual(beforeMs);
  run.stop('stopped');
});

test('a run over its output budget is paused and resumed; its exit is not held back', async () => {
  const { take, sandboxes } = make();
  const { run } = take(request('python'));
  const [sandbox] = sandboxes as [ScriptedSandbox];
  sandbox.says(FromAgent.STARTED);
  const flood = (times: number) => {
    for (let i = 0; i < times; i++) sandbox.says(FromAgent.STDOUT, Buffer.alloc(60_000, 'x'));
  };
  flood(1);
  expect(sandbox.paused).toBe(false);
  flood(4);
  expect(sandbox.paused).toBe(true);
  await vi.advanceTimersByTimeAsync(1000);
  expect(sandbox.paused).toBe(false);
  flood(8);
  run.stop('stopped');
  expect(vi.getTimerCount()).toBe(0);
});

describe('a program that has to be compiled', () => {
  test('holds a reservation and no sandbox while it compiles; compiler output comes first, in order', async () => {
    const { take, claim, asked, sandboxes, followers, reserved } = make();
    const { events } = take(request('c'));
    expect(reserved()).toBe(1);
    await claim();
    expect([asked, reserved()]).toEqual([[], 1]);
    followers[0]?.diagnostics(Buffer.from('one\n'));
    followers[0]?.diagnostics(Buffer.from('two\n'));
    followers[0]?.settled(KEPT);
    await settle();
    expect([asked, reserved()]).toEqual([['cold c'], 0]);
    const [sandbox] = sandboxes;
    sandbox?.says(FromAgent.STARTED);
    sandbox?.says(FromAgent.STDOUT, 'out\n');
    await settle();
    const shown = texts(events);
    expect(shown.filter((text) => text.startsWith('compile')).join('')).toBe('compile: one\ncompile: two\n');
    expect(shown.slice(-2)).toEqual(['started', 'stdout: out\n']);
  });

  test('and fails to compile ends without a sandbox, with the compiler output', async () => {
    for (const kept of [undefined, REFUSED]) {
      const { take, claim, asked, followers, reserved } = make(kept === undefined ? {} : { kept });
      const { events } = take(request('c'));
      await claim();
      followers[0]?.diagnostics(Buffer.from('an error\n'));
      followers[0]?.settled(REFUSED);
      await settle();
      expect([asked, reserved()]).toEqual([[], 0]);
      expect(texts(events)).toEqual(['compile: an error\n', 'exit']);
      expect(events.at(-1)).toMatchObject({ reason: 'compile_error', code: 1 });
    }
  });

  test('and could not be compiled, for an internal reason, ends with that error', async () => {
    const { take, claim, followers } = make();
    const { events } = take(request('c'));
    await claim();
    followers[0]?.settled({ kind: 'fault', code: 'overloaded', message: 'too many' });
    await settle();
    expect(events).toEqual([{ type: 'error', code: 'overloaded', message: 'too many' }]);
  });

  test('is abandoned when the client stops it, and takes no sandbox when it compiles anyway', async () => {
    const { take, claim, asked, followers, left, reserved } = make();
    const { run, events } = take(request('c'));
    await claim();
    run.stop('stopped');
    await settle();
    expect([left(), reserved()]).toEqual([1, 0]);
    followers[0]?.settled(KEPT);
    await settle();
    expect(asked).toEqual([]);
    expect(events).toMatchObject([{ type: 'exit', reason: 'stopped' }]);
  });

  test('is abandoned when the claim is refused', async () => {
    const { take, claim, table, left, reserved } = make();
    const { events } = take(request('c'));
    await claim(0);
    expect([left(), reserved(), table.size, events]).toEqual([1, 0, 0, []]);
  });

  test('keeps a terminal size that arrives meanwhile', async () => {
    const { take, claim, sandboxes, followers } = make();
    const { run } = take(request('c', { tty: { cols: 80, rows: 24 } }));
    await claim();
    run.resize({ cols: 57, rows: 19 });
    followers[0]?.settled(KEPT);
    await settle();
    expect(sandboxes[0]?.written.at(-1)).toEqual(Buffer.from([4, 0, 0, 0, 4, 0, 57, 0, 19]));
  });
});

test('a refused claim destroys the sandbox of a program that began', async () => {
  const { take, claim, sandboxes, table } = make();
  const { events } = take(request('python'));
  await claim(0);
  expect([sandboxes[0]?.destroyed, table.size, events]).toEqual([true, 0, []]);
});
