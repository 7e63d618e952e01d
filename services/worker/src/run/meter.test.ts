// What is known of a sandbox that is gone as a whole: the last look at its counters says whether a limit did it.
import { describe, expect, it } from 'vitest';
import { Meter } from './meter.js';
import type { Sandbox, SandboxUsage } from './ports.js';

const NONE: SandboxUsage = { cpuMs: 0, memoryPeakBytes: 0, oomKills: 0, pidsRefused: 0 };

/** A meter over counters that the test sets; undefined: the sandbox is gone. */
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
  it('tells forks that were refused since the program began from those before', () => {
    const { meter, set } = metered({ pidsRefused: 2 });
    meter.rebase();
    meter.look({ cpuMs: 1000 });
    expect(meter.sawRefusal).toBe(false);
    set({ pidsRefused: 3 });
    // One reap alone is no limit for a program that lives on.
    expect(meter.look({ cpuMs: 1000 })).toBeUndefined();
    expect(meter.sawRefusal).toBe(true);
  });

  it('stays what it was once the counters are gone', () => {
    const { meter, set } = metered({});
    meter.rebase();
    set({ oomKills: 1, pidsRefused: 1 });
    meter.look({ cpuMs: 1000 });
    set(undefined);
    expect(meter.look({ cpuMs: 1000 })).toBeUndefined();
    expect([meter.sawOom, meter.sawRefusal]).toEqual([true, true]);
  });
});
