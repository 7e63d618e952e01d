// The attack programs as tests: each is submitted as any client's code, beside a co-tenant; how it must end is written at its top.
import { until } from '@rungrid/testkit/until';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CoTenant } from '../testkit/co-tenant.js';
import { useStack } from '../testkit/use-stack.js';
import { type After, type Attack, loadAttacks } from './attack.js';
import { costlyFaultOf, faultOf, logFault } from './attack-run.js';
import { Ledger } from './ledger.js';
import { CPU_MS, DIFFERING, runtimeDifference } from './runsc-differences.js';
import { SandboxLog } from './sandbox-log.js';

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

/**
 * Measured alone, in attacks.exclusive.test.ts: their point is what they cost others. The rest says `co_tenant_ok` of a co-tenant that lives.
 */
const COSTLY: ReadonlySet<string> = new Set([
  '20-cpu-burn.py',
  '23-output-flood.c',
  '24-long-line.py',
  '84-compiler-flood.c',
  '89-memfd-bomb.py',
  '90-pipe-buffers.py',
  '91-socket-buffers.py',
  '92-kernel-objects.py',
  '104-splice-flood.c',
  '107-real-fork-bomb.py',
  '108-stubborn-fork-bomb.c',
]);
const STACK = {
  languages: ['python', 'javascript', 'c'],
  workerEnv: { WORKER_CPU_MS: CPU_MS },
} as const;
/** Its echoes are not measured beside other attacks: it only has to live. */
const CALM_PACE_MS = 100;

const all = loadAttacks();
const chosen = (which: 'quick' | 'slow', costly: boolean): Attack[] =>
  all.filter(({ name }) => (which === 'slow') === (SLOW[name] !== undefined) && COSTLY.has(name) === costly);

/** Declares the tests of the quick programs, or of the slow ones: four at a time, beside one co-tenant. */
export function attackTests(which: 'quick' | 'slow'): void {
  const stack = useStack({ ...STACK, afterEach: 'nothing' });
  let coTenant: CoTenant;
  let sandboxes: SandboxLog;
  const attacks = chosen(which, false);
  beforeAll(async () => {
    sandboxes = await SandboxLog.follow(stack());
    coTenant = await CoTenant.start(stack(), { paceMs: CALM_PACE_MS });
  });
  afterAll(() => sandboxes.stop());

  describe('an attack', () => {
    test.concurrent.each(attacks)('$name: $expectation', async (attack: Attack) => {
      judge(attack, await faultOf(attack, { stack: stack(), coTenant, sandboxes }).catch(String));
    });
  });

  test('the co-tenant outlives them all, and sandboxes write no log', async () => {
    await coTenant.alive();
    expect(await logFault(stack())).toBeUndefined();
    await coTenant.close();
  });

  test('no process and no control group of any sandbox is left', async () => {
    await until(() => sandboxes.remains().length === 0, { what: () => sandboxes.remains().join('; '), everyMs: 200 });
    expect(sandboxes.removed).toBeGreaterThanOrEqual(attacks.length / 2);
  });

  test('the lists name programs that exist, and there are as many programs as there were', () => {
    const names = all.map(({ name }) => name);
    const listed = [...Object.keys(KEPT), ...Object.keys(SLOW), ...COSTLY, ...DIFFERING];
    expect(listed.filter((name) => !names.includes(name))).toEqual([]);
    // One that would be neither measured nor run beside others would not be run at all.
    const flat = all.filter(({ after }) =>
      ['rss_flat', 'disk_flat', 'host_flat'].some((rule) => after.has(rule as After)),
    );
    expect(flat.filter(({ name }) => !COSTLY.has(name))).toEqual([]);
    expect(names.length).toBeGreaterThanOrEqual(70);
  });
}

/** Declares the tests of those whose costs are measured: one after the other, each beside a co-tenant of its own. */
export function costlyAttackTests(which: 'quick' | 'slow'): void {
  const stack = useStack({ ...STACK, afterEach: 'clean' });
  const ledger = new Ledger();
  afterAll(() => ledger.print(`attacks, the ${which} ones that are measured`));
  test.each(chosen(which, true))('$name: $expectation', async (attack: Attack) => {
    const coTenant = await CoTenant.start(stack());
    const fault = await costlyFaultOf(attack, { stack: stack(), coTenant, ledger }).catch(String);
    await coTenant.close();
    judge(attack, fault);
  });
}

function judge(attack: Attack, fault: string | undefined): void {
  const difference = runtimeDifference(attack.name);
  if (difference !== undefined) expect(fault ?? 'it is held off', difference.reason).toMatch(difference.fault);
  else if (KEPT[attack.name] === undefined) expect(fault).toBeUndefined();
  else expect(fault, `${attack.name} is held off now: take it off the list`).toBeDefined();
}
