// The attack programs as tests: each is submitted as any visitor's code, beside a co-tenant; what it must end in stands at its top.
import { afterAll, describe, expect, test } from 'vitest';
import { CoTenant } from '../testkit/co-tenant.js';
import { useStack } from '../testkit/use-stack.js';
import { type Attack, loadAttacks } from './attack.js';
import { faultOf } from './attack-run.js';
import { Ledger } from './ledger.js';
import { CPU_MS, DIFFERING, runtimeDifference } from './runsc-differences.js';

/** Attacks that are not held off yet, and why. One that is fixed must leave the list: a test fails until it does. */
const KEPT: Readonly<Record<string, string>> = {};

/**
 * Left to `./rungrid test --all`. The choice is by value and cost: what takes its whole time limit (5 to 10 s, where others take 1 to 2)
 * goes, when a quick one shows the same mechanism; what guards a boundary stays, however slow.
 */
const SLOW: Readonly<Record<string, string>> = {
  '08-unkillable.c': 'its time limit; 108 is killed at its limit, too',
  '20-cpu-burn.py': 'its time limit; e2e/limits has burners',
  '21-sleep-forever.py': 'its time limit; e2e/limits has a sleeper',
  '24-long-line.py': 'slow; 23 and 104 flood',
  '26-close-stdio.py': 'its time limit; 105 closes them, too',
  '34-writable-walk.py': 'walks the whole image; the self-test looks at what is mounted how',
  '46-abstract-socket.py': 'sleeps for 5 s',
  '50-node-workers.js': 'its time limit; 03 and 107 meet the limit of processes',
  '84-compiler-flood.c': 'the time limit of the compile step; 82 and 83 are compilers, too',
  '98-slow-drip.py': 'its time limit; e2e/limits has a sleeper',
  '111-starve-and-stay.py': 'its time limit; 75 is refused the same',
  '99-stopped.py': 'its time limit; 102 stops itself, too',
};

/** Declares the tests of the quick programs, or of the slow ones. */
export function attackTests(which: 'quick' | 'slow'): void {
  const all = loadAttacks();
  const stack = useStack({ languages: ['python', 'javascript', 'c'], workerEnv: { WORKER_CPU_MS: CPU_MS } });
  const ledger = new Ledger();
  afterAll(() => ledger.print(`attacks, the ${which} ones`));

  describe('an attack', () => {
    test.each(all.filter(({ name }) => (which === 'slow') === (SLOW[name] !== undefined)))(
      '$name: $expectation',
      async (attack: Attack) => {
        const coTenant = await CoTenant.start(stack());
        const fault = await faultOf(attack, { stack: stack(), coTenant, ledger }).catch((error: unknown) =>
          String(error),
        );
        await coTenant.close();
        const difference = runtimeDifference(attack.name);
        if (difference !== undefined) expect(fault ?? 'it is held off', difference.reason).toMatch(difference.fault);
        else if (KEPT[attack.name] === undefined) expect(fault).toBeUndefined();
        else expect(fault, `${attack.name} is held off now: take it off the list`).toBeDefined();
      },
    );
  });

  test('the lists name programs that exist, and there are as many programs as there were', () => {
    const names = all.map(({ name }) => name);
    expect([...Object.keys(KEPT), ...Object.keys(SLOW), ...DIFFERING].filter((name) => !names.includes(name))).toEqual(
      [],
    );
    expect(names.length).toBeGreaterThanOrEqual(70);
  });
}
