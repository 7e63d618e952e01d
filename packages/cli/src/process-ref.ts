// Identifies processes by pid and start time, so that a recycled pid is never mistaken for its previous owner.
import { readFileSync } from 'node:fs';
import { codeOf } from './errors.js';
import { poll } from './poll.js';

/** How often stop() checks whether the process has ended, ms. */
const POLL_MS = 20;

export interface ProcessRef {
  readonly pid: number;
  /** Boot id and start time in clock ticks since boot (proc(5), stat field 22); never used twice. */
  readonly start: string;
}

/** The process that has this pid now, or undefined. */
export function identify(pid: number): ProcessRef | undefined {
  const ticks = startTicks(readProc(`/proc/${pid}/stat`) ?? '');
  if (ticks === undefined) return undefined;
  return { pid, start: `${bootId()}:${ticks}` };
}

/** Start time of a live process; undefined for a zombie, and for text that is not a stat line. */
export function startTicks(stat: string): string | undefined {
  // The command's name may hold spaces and parentheses: fields are counted from the last one.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, ticks] = [fields[0], fields[19]];
  return ticks === undefined || state === 'Z' || state === 'X' ? undefined : ticks;
}

export function isAlive(process: ProcessRef): boolean {
  return identify(process.pid)?.start === process.start;
}

/** Sends a signal to exactly this process. False when it has ended. */
export function signal(target: ProcessRef, name: NodeJS.Signals): boolean {
  if (!isAlive(target)) return false;
  try {
    return process.kill(target.pid, name);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
    throw error;
  }
}

/** SIGTERM, then SIGKILL after `graceMs`. True when SIGTERM was enough. */
export async function stop(target: ProcessRef, options: { graceMs: number }): Promise<boolean> {
  if (!signal(target, 'SIGTERM')) return true;
  if (await endedWithin(target, options.graceMs)) return true;
  signal(target, 'SIGKILL');
  await endedWithin(target, 5_000);
  return false;
}

async function endedWithin(target: ProcessRef, timeoutMs: number): Promise<boolean> {
  const ended = await poll(() => (isAlive(target) ? undefined : true), { timeoutMs, everyMs: POLL_MS });
  return ended === true;
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
    // ENOENT or ESRCH: the process has ended, or never existed.
    return undefined;
  }
}
