// One control group above all sandboxes of a private engine: bounds their memory, tasks and CPU together, whatever each may take.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { codeOf, messageOf } from '../errors.js';
import { say } from '../progress.js';

const ROOT = '/sys/fs/cgroup';
/** The kernel's own accounting period, µs. */
const PERIOD_US = 100_000;

export interface GroupBounds {
  readonly memoryBytes: number;
  readonly tasks: number;
  /** CPU time in a period of 100 ms, µs. */
  readonly quotaUs: number;
}

/** `memoryBytes`, `cpus`, `tasks`: the machine's. */
export function boundsOf(machine: { memoryBytes: number; cpus: number; tasks: number }): GroupBounds {
  return {
    // Pools plan with half of the memory; a quarter stays for the services, the engine and everybody else.
    memoryBytes: Math.floor((machine.memoryBytes * 0.75) / 4096) * 4096,
    // Numbers of processes are the host's: half of them are enough for every sandbox at its limit.
    tasks: Math.floor(machine.tasks / 2),
    // A tenth is left to who answers a click, also on a machine full of loops.
    quotaUs: Math.round(machine.cpus * PERIOD_US * 0.9),
  };
}

/** What is written where, below the mount; in this order. */
export function groupFiles(
  version: 1 | 2,
  name: string,
  bounds: GroupBounds,
): ReadonlyArray<readonly [string, string]> {
  const { memoryBytes, tasks, quotaUs } = bounds;
  if (version === 2)
    return [
      [`${name}/memory.max`, String(memoryBytes)],
      [`${name}/pids.max`, String(tasks)],
      [`${name}/cpu.max`, `${quotaUs} ${PERIOD_US}`],
    ];
  return [
    [`memory/${name}/memory.limit_in_bytes`, String(memoryBytes)],
    [`pids/${name}/pids.max`, String(tasks)],
    [`cpu/${name}/cpu.cfs_period_us`, String(PERIOD_US)],
    [`cpu/${name}/cpu.cfs_quota_us`, String(quotaUs)],
  ];
}

/** Makes the group of this state folder. Its path as an engine takes it; undefined, and told, where it cannot be made. */
export function makeGroup(state: string, root = ROOT): string | undefined {
  const version = existsSync(join(root, 'cgroup.controllers')) ? 2 : 1;
  const name = groupName(state);
  try {
    if (version === 2) writeFileSync(join(root, 'cgroup.subtree_control'), '+memory +pids +cpu');
    const bounds = boundsOf({ memoryBytes: totalmem(), cpus: availableParallelism(), tasks: hostTasks() });
    for (const [file, value] of groupFiles(version, name, bounds)) {
      mkdirSync(join(root, file, '..'), { recursive: true });
      writeFileSync(join(root, file), value);
    }
    return `/${name}`;
  } catch (error) {
    say(
      `    no common bound of all sandboxes: the control group cannot be made (${messageOf(error)}); each still has its own`,
    );
    removeGroup(state, root);
    return undefined;
  }
}

/** Removes the group, in every hierarchy in which the engine made it too. What is still in use stays, and is told. */
export function removeGroup(state: string, root = ROOT): void {
  const name = groupName(state);
  const folders = [root, ...hierarchies(root)].map((folder) => join(folder, name));
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') say(`    ${folder} stays: ${messageOf(error)}`);
    }
  }
}

/** One for each installation: two on a machine do not share a bound. */
export function groupName(state: string): string {
  return `rungrid-${createHash('sha256').update(state).digest('hex').slice(0, 10)}`;
}

function hierarchies(root: string): string[] {
  if (existsSync(join(root, 'cgroup.controllers'))) return [];
  // `cpu` may be a link to `cpu,cpuacct`: the second removal finds nothing, which is as good.
  return readdirSync(root).map((entry) => join(root, entry));
}

function hostTasks(): number {
  const read = (file: string) => Number(readFileSync(`/proc/sys/kernel/${file}`, 'utf8'));
  return Math.min(read('pid_max'), read('threads-max'));
}
