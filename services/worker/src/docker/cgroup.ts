// Reads a container's counters from the kernel's control groups, versions 1 and 2, whichever driver the engine uses.
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { join } from 'node:path';
import type { SandboxUsage } from '../run/ports.js';

export interface CgroupLayout {
  /** Mount point of the hierarchy. */
  readonly root: string;
  readonly version: 1 | 2;
  readonly driver: 'cgroupfs' | 'systemd';
  /** Configured parent; undefined for the engine's default. */
  readonly parent: string | undefined;
}

type Counter = 'cpu' | 'memoryPeak' | 'oom' | 'pids';

/** Files of each version, the first readable one counts. Version 1 mounts cpu and cpuacct together on most systems. */
const FILES: Record<1 | 2, Record<Counter, ReadonlyArray<{ controller: string; file: string }>>> = {
  1: {
    cpu: [
      { controller: 'cpuacct', file: 'cpuacct.usage' },
      { controller: 'cpu,cpuacct', file: 'cpuacct.usage' },
    ],
    memoryPeak: [{ controller: 'memory', file: 'memory.max_usage_in_bytes' }],
    oom: [{ controller: 'memory', file: 'memory.oom_control' }],
    pids: [{ controller: 'pids', file: 'pids.events' }],
  },
  2: {
    cpu: [{ controller: '', file: 'cpu.stat' }],
    memoryPeak: [
      { controller: '', file: 'memory.peak' },
      // Kernels before 5.19 keep no peak.
      { controller: '', file: 'memory.current' },
    ],
    oom: [{ controller: '', file: 'memory.events' }],
    pids: [{ controller: '', file: 'pids.events' }],
  },
};

/** Directory of a container below a controller's mount. */
export function cgroupDirectory(layout: CgroupLayout, containerId: string): string {
  if (layout.driver === 'systemd')
    return join(slicePath(layout.parent ?? 'system.slice'), `docker-${containerId}.scope`);
  return join(layout.parent ?? 'docker', containerId);
}

/** Processes and threads of a container now; undefined when the files are not readable here. */
export function processCount(layout: CgroupLayout, containerId: string): number | undefined {
  const controller = layout.version === 1 ? 'pids' : '';
  try {
    const path = join(layout.root, controller, cgroupDirectory(layout, containerId), 'pids.current');
    return parseNumber(readFileSync(path, 'latin1'));
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

/** The open counter files of one container; close() it. Undefined when they are not readable here. */
export class CgroupReader {
  readonly #version: 1 | 2;
  readonly #fds: Record<Counter, number>;
  /** The highest value read, for kernels that keep only the current one. */
  #highestBytes = 0;
  #closed = false;

  private constructor(version: 1 | 2, fds: Record<Counter, number>) {
    this.#version = version;
    this.#fds = fds;
  }

  static open(layout: CgroupLayout, containerId: string): CgroupReader | undefined {
    const directory = cgroupDirectory(layout, containerId);
    const opened: number[] = [];
    const fds: Partial<Record<Counter, number>> = {};
    for (const counter of ['cpu', 'memoryPeak', 'oom', 'pids'] as const) {
      const candidates = FILES[layout.version][counter];
      const fd = openFirst(candidates.map(({ controller, file }) => join(layout.root, controller, directory, file)));
      if (fd === undefined) {
        for (const other of opened) closeSync(other);
        return undefined;
      }
      opened.push(fd);
      fds[counter] = fd;
    }
    return new CgroupReader(layout.version, fds as Record<Counter, number>);
  }

  /** Four reads of small kernel files. Undefined once the group was removed. */
  read(): SandboxUsage | undefined {
    if (this.#closed) return undefined;
    try {
      const cpu = readSmall(this.#fds.cpu);
      this.#highestBytes = Math.max(this.#highestBytes, parseNumber(readSmall(this.#fds.memoryPeak)));
      return {
        cpuMs: this.#version === 1 ? parseNumber(cpu) / 1e6 : parseKeyed(cpu, 'usage_usec') / 1e3,
        memoryPeakBytes: this.#highestBytes,
        oomKills: parseKeyed(readSmall(this.#fds.oom), 'oom_kill'),
        pidsRefused: parseKeyed(readSmall(this.#fds.pids), 'max'),
      };
    } catch (error) {
      // ENODEV: the group was removed under the open file.
      if (isSystemError(error)) return undefined;
      throw error;
    }
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const fd of Object.values(this.#fds)) closeSync(fd);
  }
}

/** Value of `key` in lines of `key value`; 0 when it is missing. */
export function parseKeyed(text: string, key: string): number {
  for (const line of text.split('\n')) {
    if (line.startsWith(key) && line[key.length] === ' ') return parseNumber(line.slice(key.length + 1));
  }
  return 0;
}

/** A file of one number; 0 for anything else, such as `max`. */
export function parseNumber(text: string): number {
  const value = Number(text.trim());
  return Number.isFinite(value) ? value : 0;
}

/** systemd nests `a-b.slice` in `a.slice`. */
export function slicePath(slice: string): string {
  const parts = slice.replace(/\.slice$/, '').split('-');
  return parts.map((_, index) => `${parts.slice(0, index + 1).join('-')}.slice`).join('/');
}

const scratch = Buffer.alloc(2048);

function readSmall(fd: number): string {
  return scratch.toString('latin1', 0, readSync(fd, scratch, 0, scratch.length, 0));
}

function openFirst(paths: readonly string[]): number | undefined {
  for (const path of paths) {
    try {
      return openSync(path, 'r');
    } catch (error) {
      if (!isSystemError(error)) throw error;
    }
  }
  return undefined;
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'code' in error;
}
