// Attacks that end otherwise where gVisor runs the sandboxes (SANDBOX_RUNTIME=runsc): how, and why that is safe or must be known.

export interface RuntimeDifference {
  /** What is wrong by the attack's own checks; anything else is a failure. */
  readonly fault: RegExp;
  readonly reason: string;
}

const SLOW: RuntimeDifference = {
  fault: /^it ended as time_limit, not ok/,
  reason:
    'each fork, thread and file costs a detour through the sentry: its CPU time or wall clock is spent before it is done',
};

/** Seen with gVisor 20221219 on its ptrace platform. */
const RUNSC: Readonly<Record<string, RuntimeDifference>> = {
  '01-fork-bomb.py': {
    fault: /^it ended as (memory_limit|process_limit|time_limit), not ok/,
    reason: 'no fork is refused inside: the bomb and its sandbox end by the first of the host’s limits that it meets',
  },
  '03-thread-bomb.c': SLOW,
  // No limit of inodes either: the memory limit holds, for files lie in the sandbox's memory.
  '17-inode-bomb.py': SLOW,
  '06-kill-everything.py': {
    fault: /"code":"worker_lost"/,
    reason: 'gVisor lets a program kill PID 1 of its own sandbox: it ends its own run, as lost, and nothing else',
  },
};

/** Limit of CPU time of the attacks, ms. An echo costs several times as much there, and the neighbour must outlive every attack. */
export const CPU_MS = process.env['SANDBOX_RUNTIME'] === 'runsc' ? '4000' : '1000';

/** Undefined: it must end there as anywhere. */
export function runtimeDifference(attack: string): RuntimeDifference | undefined {
  return process.env['SANDBOX_RUNTIME'] === 'runsc' ? RUNSC[attack] : undefined;
}

/** Names of all attacks with a difference. */
export const DIFFERING: readonly string[] = Object.keys(RUNSC);
