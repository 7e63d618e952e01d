// Who gets an artifact from where, how often it is compiled, and what ends a compile step; over sandboxes that are scripted.
import { FromAgent } from '@rungrid/sandbox/agent-frames';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Artifact, CompileResult } from '../run/artifacts.js';
import type { Lease } from '../run/options.js';
import { NO_USAGE, ScriptedSandbox } from '../testkit/scripted-sandbox.js';
import { Compilations, type CompileJob } from './compilations.js';

interface Heard {
  said: string;
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
  const follow = (key: string): Heard => {
    const heard: Heard = { said: '', result: undefined, leave: () => undefined };
    heard.leave = compilations.follow(job(key), {
      diagnostics: (bytes) => {
        heard.said += bytes.toString();
      },
      settled: (result) => {
        heard.result = result;
      },
    });
    return heard;
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
  test('is compiled once for all who ask, and each hears every word', async () => {
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
    for (const { said, result } of [first, ...others]) {
      expect(said).toBe('warning 1\nwarning 2\n');
      expect(result).toEqual({ kind: 'compiled', artifact: artifact('binary', 'warning 1\nwarning 2\n') });
    }
    expect(put.get('k')).toEqual(artifact('binary', 'warning 1\nwarning 2\n'));
    expect(served.filter((source) => source === 'joined')).toHaveLength(99);
    expect(compilations.kept(job('k'))).toEqual(first.result);
    expect(compilations.cacheBytes).toBeGreaterThan(0);
  });

  test('comes from the store when another worker compiled it, with its warnings', async () => {
    const { sandboxes, follow, compilations } = make({ stored: new Map([['k', artifact('binary', 'old warning')]]) });
    const heard = follow('k');
    await settle();
    expect(heard).toMatchObject({ said: 'old warning', result: { kind: 'compiled' } });
    expect(sandboxes).toHaveLength(0);
    expect(compilations.kept(job('k'))?.kind).toBe('compiled');
  });

  test('that the compiler refuses is remembered here, and not stored for others', async () => {
    const { sandboxes, follow, put, compilations } = make();
    const heard = follow('k');
    await settle();
    sandboxes[0]?.says(FromAgent.COMPILE, 'error');
    sandboxes[0]?.failed(0, 1);
    await settle();
    expect(heard.result).toMatchObject({ kind: 'refused', outcome: { reason: 'compile_error', code: 1 }, final: true });
    expect(compilations.kept(job('k'))?.kind).toBe('refused');
    expect(put.size).toBe(0);
  });

  test('whose compile step is killed for want of memory ends so, and is tried anew', async () => {
    const { sandboxes, follow, compilations } = make();
    const heard = follow('k');
    await settle();
    const sandbox = sandboxes[0] as ScriptedSandbox;
    sandbox.counters = { ...NO_USAGE, oomKills: 1 };
    sandbox.failed(0, 1);
    await settle();
    expect(heard.result).toMatchObject({ kind: 'refused', outcome: { reason: 'memory_limit' } });
    expect(compilations.kept(job('k'))).toBeUndefined();
  });

  test('whose compile step takes too long is refused with a text that says so', async () => {
    const { sandboxes, follow, compilations } = make();
    const heard = follow('k');
    await vi.advanceTimersByTimeAsync(5000);
    expect(heard.said).toContain('longer than 5000 ms');
    expect(heard.result).toMatchObject({ kind: 'refused', outcome: { reason: 'compile_error' }, final: false });
    expect(sandboxes[0]?.destroyed).toBe(true);
    expect(compilations.kept(job('k'))).toBeUndefined();
  });

  test('that is larger than its sandbox takes is refused', async () => {
    const { sandboxes, follow } = make();
    const heard = follow('k');
    await settle();
    sandboxes[0]?.says(FromAgent.ARTIFACT, 'x'.repeat(1001));
    await settle();
    expect(heard.said).toContain('larger than 1000 bytes');
    expect(heard.result).toMatchObject({ kind: 'refused', outcome: { reason: 'compile_error' } });
  });

  test('whose compiler talks without end is heard up to 64 KiB', async () => {
    const { sandboxes, follow } = make();
    const heard = follow('k');
    await settle();
    for (let i = 0; i < 10; i++) sandboxes[0]?.says(FromAgent.COMPILE, 'x'.repeat(16_384));
    expect(heard.said.length).toBe(65_536);
  });
});

describe('who waits', () => {
  test('and leaves, leaves the others', async () => {
    const { sandboxes, follow } = make();
    const [one, two] = [follow('k'), follow('k')];
    await settle();
    one.leave();
    expect(sandboxes[0]?.destroyed).toBe(false);
    sandboxes[0]?.compiled('binary');
    await settle();
    expect([one.result, two.result?.kind]).toEqual([undefined, 'compiled']);
  });

  test('as the last one, and leaves, ends the compile step; the next one starts anew', async () => {
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

  test('for a turn waits as long as it takes another one', async () => {
    const { follow, sandboxes } = make({ atOnce: 1 });
    follow('busy');
    const heard = follow('k');
    await settle();
    expect(sandboxes).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(4000);
    expect(heard.result).toBeUndefined();
    await vi.advanceTimersByTimeAsync(1000); // the first one's time is up
    expect(sandboxes).toHaveLength(2);
    sandboxes[1]?.compiled('binary');
    await settle();
    expect(heard.result?.kind).toBe('compiled');
  });

  test('for a turn that does not come is told that there are too many', async () => {
    vi.useRealTimers(); // the deadline is a signal's own
    const { follow, sandboxes, faults } = make({ atOnce: 1, waitMs: 1 });
    const busy = follow('busy');
    const heard = follow('k');
    await vi.waitFor(() => expect(heard.result).toMatchObject({ kind: 'fault', code: 'overloaded' }));
    expect([sandboxes.length, faults, busy.result]).toEqual([1, [], undefined]);
    busy.leave();
  });

  test('as one too many is told at once', async () => {
    const { follow } = make({ atOnce: 1 });
    const all = Array.from({ length: 66 }, (_, index) => follow(`k${index}`));
    await settle();
    expect(all.map(({ result }) => result?.kind).filter((kind) => kind === 'fault')).toHaveLength(1);
    expect(all[65]?.result).toMatchObject({ kind: 'fault', code: 'overloaded' });
  });
});

describe('a fault of ours', () => {
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
    const heard = follow('k');
    await settle();
    happens(sandboxes[0] as ScriptedSandbox);
    await settle();
    expect(heard.result).toMatchObject({ kind: 'fault', code });
    expect(compilations.kept(job('k'))).toBeUndefined();
  });

  test('no sandbox', async () => {
    const { follow, faults } = make({ noSandbox: true });
    const heard = follow('k');
    await settle();
    expect(faults).toEqual([new Error('none of c/compile')]);
    expect(heard.result).toMatchObject({ kind: 'fault', code: 'start_failed' });
  });

  test('a sandbox that is lost, unless memory ran out in it', async () => {
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
