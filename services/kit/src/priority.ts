// Raises the priority of a service above programs and the engine; on an idle machine it changes nothing.
import { readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** Nine times the weight of niceness 0 (sched(7), "The nice value"): gateways and workers use little CPU, and a visitor waits for it. */
const NICENESS = -10;

/**
 * Raises the priority of this process and its children. Linux weighs sessions against each other, and processes within theirs alone
 * (sched(7), "The autogroup feature"): a service with a session of its own raises the session, too; one that shares its session
 * with a shell does not. Without the right (CAP_SYS_NICE) nothing changes.
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
    // Without it, only latency under load suffers.
  }
}
