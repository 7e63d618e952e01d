// Puts a service ahead of programs and of the engine's chores while the machine is full; on an idle one it changes nothing.
import { readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Nine times the weight of a process that says nothing (sched(7), "The nice value"): gateways and workers do little, and somebody waits for it. */
const NICENESS = -10;

/**
 * Takes the place ahead, for this process and what it starts. Linux weighs sessions against each other, and processes within theirs alone
 * (sched(7), "The autogroup feature"): a service with a session of its own takes it for the session, too; one that shares it with
 * somebody's shell does not. Where the kernel or the rights (CAP_SYS_NICE) do not allow it, all stays as it is.
 */
export function raisePriority(): void {
  attempt(() => setPriority(NICENESS));
  attempt(() => {
    if (leadsSession()) writeFileSync('/proc/self/autogroup', String(NICENESS));
  });
}

/** Session id is the sixth field of proc_pid_stat(5); the second is in brackets, and may hold anything. */
function leadsSession(): boolean {
  const fields = readFileSync('/proc/self/stat', 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return Number(fields[3]) === process.pid;
}

function attempt(act: () => void): void {
  try {
    act();
  } catch {
    // A matter of speed under load, not of what works.
  }
}
