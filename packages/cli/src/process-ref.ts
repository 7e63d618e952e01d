// Processes by identity, not by number: a recycled pid is never taken for the process that had it before.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from './errors.js';

/** How often the end of a process is looked for, ms. */
const POLL_MS = 20;

export interface ProcessRef {
  readonly pid: number;
  /** Start time in clock ticks since boot (proc(5), stat field 22), with the boot's id: together never used twice. */
  readonly start: string;
}

/** The process that has this pid now, or undefined. */
export function identify(pid: number): ProcessRef | undefined {
  const ticks = startTicks(readProc(`/proc/${pid}/stat`) ?? '');
  if (ticks === undefined) return undefined;
  return { pid, start: `${bootId()}:${ticks}` };
}

/** Start time of a process that lives; undefined for a zombie, and for what is not a stat line. */
export function startTicks(stat: string): string | undefined {
  // The command's name may hold spaces and parentheses: fields are counted from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, ticks] = [fields[0], fields[19]];
  return ticks === undefined || state === 'Z' || state === 'X' ? undefined : ticks;
}

export function isAlive(process: ProcessRef): boolean {
  return identify(process.pid)?.start === process.start;
}

/** Sends a signal to exactly this process. False when it is gone. */
export function signal(target: ProcessRef, name: NodeJS.Signals): boolean {
  if (!isAlive(target)) return false;
  try {
    return process.kill(target.pid, name);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
    throw error;
  }
}

/** SIGTERM, then SIGKILL after `graceMs`. True when it ended by itself. */
export async function stop(target: ProcessRef, options: { graceMs: number }): Promise<boolean> {
  if (!signal(target, 'SIGTERM')) return true;
  if (await goneWithin(target, options.graceMs)) return true;
  signal(target, 'SIGKILL');
  await goneWithin(target, 5_000);
  return false;
}

async function goneWithin(target: ProcessRef, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (isAlive(target)) {
    if (performance.now() > deadline) return false;
    await sleep(POLL_MS);
  }
  return true;
}

let boot: string | undefined;

function bootId(): string {
  boot ??= (readProc('/proc/sys/kernel/random/boot_id') ?? 'unknown').trim();
  return boot;
}

function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process went, or never was: /proc says so by ENOENT or ESRCH.
    return undefined;
  }
}
