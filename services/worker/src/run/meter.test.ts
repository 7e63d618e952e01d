// The last look at the counters of a sandbox that died as a whole decides whether a limit killed it.
import { describe, expect, it } from 'vitest';
import { Meter } from './meter.js';
import type { Sandbox, SandboxUsage } from './ports.js';

const NONE: SandboxUsage = { cpuMs: 0, memoryPeakBytes: 0, oomKills: 0, pidsRefused: 0 };

/** A meter over counters that the test sets; undefined: the sandbox is removed. */
function metered(first: Partial<SandboxUsage>): {
  meter: Meter;
  set: (usage: Partial<SandboxUsage> | undefined) => void;
} {
  let now: SandboxUsage | undefined = { ...NONE, ...first };
  const sandbox = { usage: () => now } as Partial<Sandbox> as Sandbox;
  return {
    meter: new Meter(sandbox),
    set: (usage) => {
      now = usage === undefined ? undefined : { ...NONE, ...usage };
    },
  };
}

describe('the last look', () => {
  it('distinguishes forks refused since the program began from those before', () => {
    const { meter, set } = metered({ pidsRefused: 2 });
    meter.rebase();
    meter.look({ cpuMs: 1000 });
    expect(meter.sawRefusal).toBe(false);
    set({ pidsRefused: 3 });
    // One look with refusals alone does not end a program.
    expect(meter.look({ cpuMs: 1000 })).toBeUndefined();
    expect(meter.sawRefusal).toBe(true);
  });

  it('remains once the counters are removed', () => {
    const { meter, set } = metered({});
    meter.rebase();
    set({ oomKills: 1, pidsRefused: 1 });
    meter.look({ cpuMs: 1000 });
    set(undefined);
    expect(meter.look({ cpuMs: 1000 })).toBeUndefined();
    expect([meter.sawOom, meter.sawRefusal]).toEqual([true, true]);
  });
});
