// A sandbox as the machine sees it, without asking the engine or the worker: its processes, control groups and disk.
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { inspectSandbox } from './docker.js';

const CGROUPS = '/sys/fs/cgroup';

/** What is noted of a sandbox while it lives, so that its end can be looked for. */
export interface Trace {
  readonly id: string;
  /** Directories of its control groups, of every hierarchy that it has a place of its own in. */
  readonly groups: readonly string[];
  /** Folders on the machine's disk that could grow for it. */
  readonly folders: readonly string[];
}

/** Notes a running sandbox of the engine at `host`. Rejects when its groups are not to be seen: a check of their end would then prove nothing. */
export async function traceOf(id: string, host?: string): Promise<Trace> {
  const info = await inspectSandbox(id, host);
  const { Pid: pid } = info.State;
  const groups = groupsOf(pid).filter((group) => group.includes(id));
  if (groups.length === 0 || !groups.every((group) => existsSync(group)))
    throw new Error(`the control groups of ${id} are not where /proc/${pid}/cgroup says: ${groups.join()}`);
  const layer = (info.GraphDriver.Data as Record<string, string> | null)?.['UpperDir'];
  const own = info.HostnamePath === '' ? [] : [join(info.HostnamePath, '..')];
  return {
    id,
    groups,
    folders: [...own, ...(layer === undefined ? [] : [layer])],
  };
}

/** What of it is still there, one line each. */
export function remainsOf(trace: Trace): string[] {
  const processes = pidsOf(trace.id).map((pid) => `process ${pid} of ${trace.id.slice(0, 12)}`);
  return [...processes, ...trace.groups.filter((group) => existsSync(group)).map((group) => `control group ${group}`)];
}

/** Bytes of all files below the folders; a removed folder holds none. */
export function bytesIn(folders: readonly string[]): number {
  return folders.reduce((sum, folder) => sum + treeBytes(folder), 0);
}

/** Processes in its control groups, by the machine's numbering: none can leave them. (A namespace's number is used again at once.) */
function pidsOf(id: string): string[] {
  return numbers('/proc').filter((pid) => readOr(`/proc/${pid}/cgroup`).includes(id));
}

/** Lines are `id:controllers:path`; version 2 has id 0 and no controllers. Both may be there side by side. */
function groupsOf(pid: number): string[] {
  return readFileSync(`/proc/${pid}/cgroup`, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const [, controllers = '', ...path] = line.split(':');
      const unified = existsSync(join(CGROUPS, 'cgroup.controllers')) ? '' : 'unified';
      return join(CGROUPS, controllers === '' ? unified : controllers.replace('name=', ''), path.join(':'));
    });
}

/** The engine's own processes (dockerd, containerd): who listens on the socket, and its children of that kind. Empty when it is not here. */
export function enginePids(host = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock'): number[] {
  const path = host.replace(/^unix:\/\//, '');
  const line = readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .find((entry) => entry.endsWith(` ${path}`));
  const inode = line?.trim().split(/\s+/)[6];
  if (inode === undefined) return [];
  const owner = numbers('/proc').find((pid) => holds(pid, `socket:[${inode}]`));
  if (owner === undefined) return [];
  const children = numbers('/proc').filter((pid) => parentOf(pid) === owner && nameOf(pid) === 'containerd');
  return [owner, ...children].map(Number);
}

function holds(pid: string, target: string): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => linkOf(`/proc/${pid}/fd/${fd}`) === target);
  } catch {
    return false;
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function parentOf(pid: string): string {
  return /^PPid:\s+(\d+)$/m.exec(readOr(`/proc/${pid}/status`))?.[1] ?? '';
}

function nameOf(pid: string): string {
  return readOr(`/proc/${pid}/comm`).trim();
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function numbers(folder: string): string[] {
  return readdirSync(folder).filter((name) => /^\d+$/.test(name));
}

function treeBytes(path: string): number {
  try {
    const stat = lstatSync(path);
    if (!stat.isDirectory()) return stat.size;
    return readdirSync(path).reduce((sum, name) => sum + treeBytes(join(path, name)), 0);
  } catch {
    return 0;
  }
}
