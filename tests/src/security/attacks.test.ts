// Attack programs, submitted as any visitor's code; what each must end in stands at its top.
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import type { ServerEvents } from '@rungrid/proto/frames';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Client } from '../testkit/client.js';
import { inspectSandbox } from '../testkit/docker.js';
import { Neighbour } from '../testkit/neighbour.js';
import type { RunHandle } from '../testkit/run-handle.js';
import { useStack } from '../testkit/use-stack.js';
import { until } from '../testkit/wait.js';
import { type Attack, loadAttacks, type Status } from './attack.js';
import { CPU_MS, DIFFERING, runtimeDifference } from './runsc-differences.js';

const MIB = 1 << 20;
/** Memory that gateway and worker together may take on for one attack. */
const FLAT_BYTES = 64 * MIB;
/** Wall clock of an attack, ms: its client asks for less than the server's. */
const WALL_MS = 8_000;
/** Nothing of a run lives so long after its terminal event, ms. */
const TEARDOWN_MS = 2_000;
/** A neighbour's slowest echo beside an attack, ms; how quick it is, the bench says. */
const NEIGHBOUR_MS = 1_500;

/** Attacks that are not held off yet, and why. One that is fixed must leave the list: a test fails until it does. */
const KEPT: Readonly<Record<string, string>> = {};
/** Left out unless RUNGRID_TEST_ALL=1: they take their whole time limit. */
const LONG = new Set([
  '08-unkillable.c',
  '20-cpu-burn.py',
  '21-sleep-forever.py',
  '24-long-line.py',
  '26-close-stdio.py',
  '34-writable-walk.py',
  '46-abstract-socket.py',
  '50-node-workers.js',
]);

const all = process.env['RUNGRID_TEST_ALL'] === '1';
const attacks = loadAttacks().filter((attack) => all || !LONG.has(attack.name));
const stack = useStack({
  languages: ['python', 'javascript', 'c'],
  workerEnv: { WORKER_CPU_MS: CPU_MS },
});
let neighbour: Neighbour;

describe('an attack', () => {
  test.each(attacks)('$name: $expectation', async (attack) => {
    neighbour = await Neighbour.start(stack());
    const fault = await faultOf(attack).catch((error: unknown) => String(error));
    await neighbour.close();
    const difference = runtimeDifference(attack.name);
    if (difference !== undefined) expect(fault ?? 'it is held off', difference.reason).toMatch(difference.fault);
    else if (KEPT[attack.name] === undefined) expect(fault).toBeUndefined();
    else expect(fault, `${attack.name} is held off now: take it off the list`).toBeDefined();
  });
});

describe('the list of attacks that are kept', () => {
  let names: string[] = [];
  beforeAll(() => {
    names = loadAttacks().map((attack) => attack.name);
  });
  afterAll(() => expect(names.length).toBeGreaterThan(20));

  test('names attacks that exist', () => {
    expect([...Object.keys(KEPT), ...DIFFERING].filter((name) => !names.includes(name))).toEqual([]);
  });
});

/** What is wrong with the outcome; undefined: the attack was held off. */
async function faultOf(attack: Attack): Promise<string | undefined> {
  const client = await stack().connect();
  const memory = watchMemory();
  const echoesBefore = neighbour.timesMs.length;
  const hostCores = coreFiles();
  try {
    const copies = attack.after.has('run_two_at_once') ? 2 : 1;
    const runs = Array.from({ length: copies }, () => submit(client, attack));
    for (const run of runs) {
      const fault = await judge(run, attack);
      if (fault !== undefined) return `${fault}; ${run.handle.describe()}`;
    }
    const teardown = await teardownFault();
    if (teardown !== undefined) return teardown;
    if (attack.after.has('run_twice')) {
      const again = submit(client, attack);
      const fault = await judge(again, attack);
      if (fault !== undefined) return `the second time: ${fault}; ${again.handle.describe()}`;
    }
    const slowest = Math.max(0, ...neighbour.timesMs.slice(echoesBefore));
    if (slowest > NEIGHBOUR_MS) return `a neighbour's echo took ${Math.round(slowest)} ms`;
    if (memory.growth() > FLAT_BYTES) return `gateway and worker grew by ${Math.round(memory.growth() / MIB)} MiB`;
    if (attack.after.has('disk_flat')) {
      const fault = await logFault();
      if (fault !== undefined) return fault;
    }
    const newCores = coreFiles().filter((name) => !hostCores.includes(name));
    if (newCores.length > 0) return `core files on the host: ${newCores.join()}`;
    await neighbour.alive();
    const next = client.run('print("next")', 'python');
    const exit = await next.exit();
    return exit.code === 0 && next.stdout === 'next\n' ? undefined : 'the next run went wrong';
  } finally {
    memory.stop();
    await client.close();
  }
}

interface Submitted {
  readonly handle: RunHandle;
  readonly startMs: number;
}

function submit(client: Client, attack: Attack): Submitted {
  return {
    handle: client.run(attack.code, attack.language, { limits: { wall_ms: WALL_MS } }),
    startMs: performance.now(),
  };
}

async function judge({ handle, startMs }: Submitted, attack: Attack): Promise<string | undefined> {
  if (attack.firstOutputMs !== undefined)
    await until(() => handle.stdout !== '', { what: 'the first output', timeoutMs: attack.firstOutputMs });
  const exit = await handle.exit(attack.maxWallMs + 5_000);
  const tookMs = performance.now() - startMs;
  const status = statusOf(exit);
  if (status === undefined || !attack.statuses.includes(status))
    return `it ended as ${status ?? exit.reason}, not ${attack.statuses.join(' or ')}`;
  if (attack.exitCode !== undefined && exit.code !== attack.exitCode) return `exit code ${exit.code}`;
  if (attack.signal !== undefined && exit.signal !== signalName(attack.signal)) return `signal ${exit.signal}`;
  if (tookMs > attack.maxWallMs) return `it took ${Math.round(tookMs)} ms`;
  if (attack.livesOn && exit.reason !== 'wall_limit' && exit.reason !== 'idle_limit')
    return `it ended by ${exit.reason}`;
  for (const pattern of attack.has)
    if (!pattern.test(handle.stdout)) return `stdout has no ${pattern}: ${handle.stdout.slice(0, 2000)}`;
  for (const pattern of attack.hasNot) {
    const lines = handle.stdout.split('\n').filter((line) => pattern.test(line));
    if (lines.length > 0) return `stdout has ${pattern}:\n${lines.slice(0, 20).join('\n')}`;
  }
  return undefined;
}

function statusOf(exit: ServerEvents['exit']): Status | undefined {
  switch (exit.reason) {
    case 'exited':
      return exit.code === 0 ? 'ok' : 'nonzero';
    case 'signaled':
      return 'signalled';
    case 'wall_limit':
    case 'cpu_limit':
    case 'idle_limit':
      return 'time_limit';
    case 'memory_limit':
    case 'process_limit':
    case 'output_limit':
      return exit.reason;
    case 'stopped':
    case 'disconnected':
    case 'compile_error':
      return undefined;
  }
}

function signalName(signal: number): string | undefined {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
}

/** Only the neighbour's sandbox may still be running soon after the end. */
async function teardownFault(): Promise<string | undefined> {
  try {
    await until(async () => (await stack().running()).length <= 1, {
      what: 'the sandbox to go',
      timeoutMs: TEARDOWN_MS,
    });
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** A sandbox must not have a log that grows on the host's disk. */
async function logFault(): Promise<string | undefined> {
  const [any] = await stack().sandboxes();
  if (any === undefined) return 'no sandbox to look at';
  const type = (await inspectSandbox(any.id)).HostConfig.LogConfig?.Type;
  return type === 'none' ? undefined : `the log driver is ${type}`;
}

function watchMemory(): { growth: () => number; stop: () => void } {
  const processes = [stack().gateway.process, stack().worker.process];
  const total = () => processes.reduce((sum, process) => sum + process.rssBytes(), 0);
  const before = total();
  let peak = before;
  const timer = setInterval(() => {
    peak = Math.max(peak, total());
  }, 50);
  return { growth: () => peak - before, stop: () => clearInterval(timer) };
}

/** Core files where the host's kernel would put one of a process whose working directory is /tmp or /. */
function coreFiles(): string[] {
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
  const name = pattern.startsWith('|') ? 'core' : (pattern.split('/').at(-1)?.split('%')[0] ?? 'core');
  return ['/', '/tmp', process.cwd()].flatMap((dir) =>
    readdirSync(dir)
      .filter((file) => file === name || file.startsWith(`${name}.`))
      .map((file) => `${dir}/${file}`),
  );
}
