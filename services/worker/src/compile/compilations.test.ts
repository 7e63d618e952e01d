// Rules of where artifacts come from, how often they are compiled, and what ends a compile step; over scripted sandboxes.
import { FromAgent } from '@rungrid/sandbox/agent-frames';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Artifact, CompileResult } from '../run/artifacts.js';
import type { Lease } from '../run/options.js';
import { NO_USAGE, ScriptedSandbox } from '../testkit/scripted-sandbox.js';
import { Compilations, type CompileJob } from './compilations.js';

interface Follower {
  output: string;
  result: CompileResult | undefined;
  leave: () => void;
}

function make(
  options: { stored?: ReadonlyMap<string, Artifact>; atOnce?: number; noSandbox?: boolean; waitMs?: number } = {},
) {
  const sandboxes: ScriptedSandbox[] = [];
  const put = new Map<string, Artifact>();
  const served: string[] = [];
  const faults: unknown[] = [];
  const times: string[] = [];
  const compilations = new Compilations({
    pool: {
      async acquireCold(poolKey, signal): Promise<Lease> {
        signal.throwIfAborted();
        if (options.noSandbox === true) throw new Error(`none of ${poolKey}`);
        const sandbox = new ScriptedSandbox();
        sandboxes.push(sandbox);
        return sandbox.lease();
      },
    },
    store: { get: async (key) => options.stored?.get(key), put: (key, artifact) => void put.set(key, artifact) },
    atOnce: options.atOnce ?? 2,
    cacheBytes: 100_000,
    ...(options.waitMs === undefined ? {} : { waitMs: options.waitMs }),
    observer: {
      served: (_, source) => void served.push(source),
      compiled: (language) => void times.push(language),
      failed: (_, error) => void faults.push(error),
    },
  });
  const follow = (key: string): Follower => {
    const follower: Follower = { output: '', result: undefined, leave: () => undefined };
    follower.leave = compilations.follow(job(key), {
      diagnostics: (bytes) => {
        follower.output += bytes.toString();
      },
      settled: (result) => {
        follower.result = result;
      },
    });
    return follower;
  };
  return { compilations, sandboxes, put, served, follow, faults, times };
}

function job(key: string): CompileJob {
  return { key, language: 'c', poolKey: 'c/compile', start: () => Buffer.from('start'), maxBytes: 1000, wallMs: 5000 };
}

const settle = (): Promise<unknown> => vi.advanceTimersByTimeAsync(0);
const artifact = (content: string, diagnostics = ''): Artifact => ({
  content: Buffer.from(content),
  diagnostics: Buffer.from(diagnostics),
});

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a program', () => {
  test('is compiled once for all its runs, and each receives all diagnostics', async () => {
    const { sandboxes, follow, served, put, compilations } = make();
    const first = follow('k');
    await settle();
    sandboxes[0]?.says(FromAgent.COMPILE, 'warning 1\n');
    const others = Array.from({ length: 99 }, () => follow('k'));
    sandboxes[0]?.says(FromAgent.COMPILE, 'warning 2\n');
    sandboxes[0]?.compiled('binary');
    await settle();
    expect(sandboxes).toHaveLength(1);
    expect(sandboxes[0]?.destroyed).toBe(true);
    for (const { output, result } of [first, ...others]) {
      expect(output).toBe('warning 1\nwarning 2\n');
      expect(result).toEqual({ kind: 'compiled', artifact: artifact('binary', 'warning 1\nwarning 2\n') });
    }
    expect(put.get('k')).toEqual(artifact('binary', 'warning 1\nwarning 2\n'));
    expect(served.filter((source) => source === 'joined')).toHaveLength(99);
    expect(compilations.kept(job('k'))).toEqual(first.result);
    expect(compilations.cacheBytes).toBeGreaterThan(0);
  });

  test('comes from the store when another worker compiled it, with its warnings', async () => {
    const { sandboxes, follow, compilations } = make({ stored: new Map([['k', artifact('binary', 'old warning')]]) });
    const follower = follow('k');
    await settle();
    expect(follower).toMatchObject({ output: 'old warning', result: { kind: 'compiled' } });
    expect(sandboxes).toHaveLength(0);
    expect(compilations.kept(job('k'))?.kind).toBe('compiled');
  });

  test('that the compiler refuses is cached here, and not stored for other workers', async () => {
    const { sandboxes, follow, put, compilations } = make();
    const follower = follow('k');
    await settle();
    sandboxes[0]?.says(FromAgent.COMPILE, 'error');
    sandboxes[0]?.failed(0, 1);
    await settle();
    expect(follower.result).toMatchObject({
      kind: 'refused',
      outcome: { reason: 'compile_error', code: 1 },
      final: true,
    });
    expect(compilations.kept(job('k'))?.kind).toBe('refused');
    expect(put.size).toBe(0);
  });

  test('whose compile step runs out of memory ends so, and is compiled again next time', async () => {
    const { sandboxes, follow, compilations } = make();
    const follower = follow('k');
    await settle();
    const sandbox = sandboxes[0] as ScriptedSandbox;
    sandbox.counters = { ...NO_USAGE, oomKills: 1 };
    sandbox.failed(0, 1);
    await settle();
    expect(follower.result).toMatchObject({ kind: 'refused', outcome: { reason: 'memory_limit' } });
    expect(compilations.kept(job('k'))).toBeUndefined();
  });

  test('whose compile step takes too long is refused with a text that says so', async () => {
    const { sandboxes, follow, compilations } = make();
    const follower = follow('k');
    await vi.advanceTimersByTimeAsync(5000);
    expect(follower.output).toContain('longer than 5000 ms');
    expect(follower.result).toMatchObject({ kind: 'refused', outcome: { reason: 'compile_error' }, final: false });
    expect(sandboxes[0]?.destroyed).toBe(true);
    expect(compilations.kept(job('k'))).toBeUndefined();
  });

  test('that is larger than its sandbox takes is refused', async () => {
    const { sandboxes, follow } = make();
    const follower = follow('k');
    await settle();
    sandboxes[0]?.says(FromAgent.ARTIFACT, 'x'.repeat(1001));
    await settle();
    expect(follower.output).toContain('larger than 1000 bytes');
    expect(follower.result).toMatchObject({ kind: 'refused', outcome: { reason: 'compile_error' } });
  });

  test('whose compiler prints without end is cut at 64 KiB', async () => {
    const { sandboxes, follow } = make();
    const follower = follow('k');
    await settle();
    for (let i = 0; i < 10; i++) sandboxes[0]?.says(FromAgent.COMPILE, 'x'.repeat(16_384));
    expect(follower.output.length).toBe(65_536);
  });
});

describe('a follower', () => {
  test('that leaves does not affect the others', async () => {
    const { sandboxes, follow } = make();
    const [one, two] = [follow('k'), follow('k')];
    await settle();
    one.leave();
    expect(sandboxes[0]?.destroyed).toBe(false);
    sandboxes[0]?.compiled('binary');
    await settle();
    expect([one.result, two.result?.kind]).toEqual([undefined, 'compiled']);
  });

  test('that leaves last ends the compile step; the next one starts another', async () => {
    const { sandboxes, follow, served, times, faults } = make();
    follow('k').leave();
    const early = follow('k');
    await settle();
    early.leave();
    await settle();
    expect(sandboxes.at(-1)?.destroyed).toBe(true);
    const late = follow('k');
    await settle();
    sandboxes.at(-1)?.compiled('binary');
    await settle();
    expect(late.result?.kind).toBe('compiled');
    expect(served).toEqual(['abandoned', 'abandoned', 'compiled']);
    expect([times, faults]).toEqual([['c'], []]);
  });

  test('waits while another compile step has the slot', async () => {
    const { follow, sandboxes } = make({ atOnce: 1 });
    follow('busy');
    const follower = follow('k');
    await settle();
    expect(sandboxes).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(4000);
    expect(follower.result).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1000); // the first one's time is up
    expect(sandboxes).toHaveLength(2);
    sandboxes[1]?.compiled('binary');
    await settle();
    expect(follower.result?.kind).toBe('compiled');
  });

  test('that gets no slot in time is refused with overloaded', async () => {
    vi.useRealTimers(); // the deadline is a signal's own
    const { follow, sandboxes, faults } = make({ atOnce: 1, waitMs: 1 });
    const busy = follow('busy');
    const follower = follow('k');
    await vi.waitFor(() => expect(follower.result).toMatchObject({ kind: 'fault', code: 'overloaded' }));
    expect([sandboxes.length, faults, busy.result]).toEqual([1, [], undefined]);
    busy.leave();
  });

  test('past the bound is refused at once', async () => {
    const { follow } = make({ atOnce: 1 });
    const all = Array.from({ length: 66 }, (_, index) => follow(`k${index}`));
    await settle();
    expect(all.map(({ result }) => result?.kind).filter((kind) => kind === 'fault')).toHaveLength(1);
    expect(all[65]?.result).toMatchObject({ kind: 'fault', code: 'overloaded' });
  });
});

describe('an internal failure', () => {
  test.each<[string, (sandbox: ScriptedSandbox) => void, string]>([
    ['a FAULT of the agent', (sandbox) => sandbox.says(FromAgent.FAULT, 'no compiler'), 'start_failed'],
    ['a frame that is none of a compile step', (sandbox) => sandbox.says(FromAgent.STARTED), 'internal'],
    ['bytes that are no frame', (sandbox) => sandbox.speaks(Buffer.from('HTTP/1.1 ')), 'internal'],
    [
      'a part that is missing',
      (sandbox) => sandbox.says(FromAgent.COMPILED, Buffer.from([...Buffer.alloc(7), 9, ...Buffer.alloc(24)])),
      'internal',
    ],
  ])('%s', async (_what, happens, code) => {
    const { sandboxes, follow, compilations } = make();
    const follower = follow('k');
    await settle();
    happens(sandboxes[0] as ScriptedSandbox);
    await settle();
    expect(follower.result).toMatchObject({ kind: 'fault', code });
    expect(compilations.kept(job('k'))).toBeUndefined();
  });

  test('no sandbox', async () => {
    const { follow, faults } = make({ noSandbox: true });
    const follower = follow('k');
    await settle();
    expect(faults).toEqual([new Error('none of c/compile')]);
    expect(follower.result).toMatchObject({ kind: 'fault', code: 'start_failed' });
  });

  test('a lost sandbox is an error, unless it ran out of memory', async () => {
    const { sandboxes, follow } = make();
    const [lost, oom] = [follow('lost'), follow('oom')];
    await settle();
    for (const [index, sandbox] of sandboxes.entries()) {
      sandbox.exit({ oom: index === 1, status: 137 });
      sandbox.ends();
    }
    await settle();
    expect(lost.result).toMatchObject({ kind: 'fault', code: 'start_failed' });
    expect(oom.result).toMatchObject({ kind: 'refused', outcome: { reason: 'memory_limit' } });
  });
});
