// The machine under an attack: what of it must be as before, and how much memory it lost meanwhile.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';

/** Files that a sandbox would change on its way out, or in order to get out. */
const WATCHED = [
  '/etc/passwd',
  '/etc/group',
  '/etc/hosts',
  '/etc/hostname',
  '/etc/ld.so.preload',
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe',
  '/proc/sys/kernel/hostname',
  '/proc/sys/kernel/domainname',
  '/proc/sys/kernel/poweroff_cmd',
  '/proc/sys/kernel/randomize_va_space',
  '/proc/sys/kernel/pid_max',
  '/proc/sys/kernel/pty/max',
  '/proc/sys/net/ipv4/ip_forward',
  '/proc/sys/vm/overcommit_memory',
  '/proc/sys/fs/suid_dumpable',
] as const;

/** A digest of each watched file, by path. */
export function hostFiles(): ReadonlyMap<string, string> {
  return new Map(WATCHED.map((path) => [path, digest(path)]));
}

/** Paths that differ. */
export function changed(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  return [...before.keys()].filter((path) => before.get(path) !== after.get(path));
}

/** Memory that new work could have, bytes. */
export function availableBytes(): number {
  const line = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync('/proc/meminfo', 'utf8'));
  return Number(line?.[1] ?? Number.NaN) * 1024;
}

/** Core files where the kernel would put one of a process whose working directory is /tmp or /. */
export function coreFiles(): string[] {
  const pattern = readFileSync('/proc/sys/kernel/core_pattern', 'utf8').trim();
  const name = pattern.startsWith('|') ? 'core' : (pattern.split('/').at(-1)?.split('%')[0] ?? 'core');
  return ['/', '/tmp', process.cwd()].flatMap((dir) =>
    readdirSync(dir)
      .filter((file) => file === name || file.startsWith(`${name}.`))
      .map((file) => `${dir}/${file}`),
  );
}

function digest(path: string): string {
  try {
    return createHash('sha256').update(readFileSync(path)).digest('hex');
  } catch {
    return 'none';
  }
}
