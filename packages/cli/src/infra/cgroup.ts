// One control group above all sandboxes of a private engine: bounds their memory, tasks and CPU together.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';
import { codeOf, messageOf } from '../errors.js';
import { installationId } from '../paths.js';
import { say } from '../progress.js';

const ROOT = '/sys/fs/cgroup';
/** The kernel's own accounting period, µs. */
const PERIOD_US = 100_000;

export interface GroupBounds {
  readonly memoryBytes: number;
  readonly tasks: number;
  /** CPU time per period of 100 ms, µs. */
  readonly quotaUs: number;
}

/** The bounds for a machine with this memory, CPUs and task limit. */
export function boundsOf(machine: { memoryBytes: number; cpus: number; tasks: number }): GroupBounds {
  return {
    // Pools plan with half of the memory; a quarter stays for the services, the engine and the rest of the machine.
    memoryBytes: Math.floor((machine.memoryBytes * 0.75) / 4096) * 4096,
    // Task numbers are shared with the host: half of them is enough for every sandbox at its limit.
    tasks: Math.floor(machine.tasks / 2),
    // A tenth stays for gateways and workers, even when every sandbox spins.
    quotaUs: Math.round(machine.cpus * PERIOD_US * 0.9),
  };
}

/** The files to write below the mount, and their values, in this order. */
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

/** Creates the group of this state folder and returns its path as an engine takes it; undefined, with a message, when that fails. */
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
      `    no common limit over all sandboxes: cannot create the control group (${messageOf(error)}); each keeps its own limits`,
    );
    removeGroup(state, root);
    return undefined;
  }
}

/** Removes the group from every hierarchy. A group that is still in use stays, with a message. */
export function removeGroup(state: string, root = ROOT): void {
  const name = groupName(state);
  const folders = [root, ...hierarchies(root)].map((folder) => join(folder, name));
  for (const folder of folders) {
    try {
      rmdirSync(folder);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') say(`    cannot remove ${folder}: ${messageOf(error)}`);
    }
  }
}

/** Each installation has its own group: two on one machine do not share limits. */
export function groupName(state: string): string {
  return `rungrid-${installationId(state)}`;
}

function hierarchies(root: string): string[] {
  if (existsSync(join(root, 'cgroup.controllers'))) return [];
  // `cpu` may be a link to `cpu,cpuacct`: the second removal then finds nothing.
  return readdirSync(root).map((entry) => join(root, entry));
}

function hostTasks(): number {
  const read = (file: string) => Number(readFileSync(`/proc/sys/kernel/${file}`, 'utf8'));
  return Math.min(read('pid_max'), read('threads-max'));
}
