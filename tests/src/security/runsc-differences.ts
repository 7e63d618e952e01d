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
  '70-agent-descriptors.py': {
    fault: /^it ended as time_limit, not ok/,
    reason:
      'PID 1 is within reach of a program of its uid (SECURITY.md): it opens the agent’s descriptors, and hangs reading one. Its own run only',
  },
  '72-signal-storm.py': {
    fault: /"code":"worker_lost"/,
    reason: 'as 06: a signal from inside kills PID 1, which ends this run and no other',
  },
  '75-starve-agent.py': SLOW,
  '86-too-large-to-run.c': {
    fault: /^it ended as ok, not compile_error or nonzero or signalled/,
    reason:
      'the sentry maps a bss of 127 TB without taking memory for it; the program touches none of it and exits with 0',
  },
  '88-page-tables.c': {
    fault: /^it ended as time_limit, not memory_limit/,
    reason: 'page tables are the host’s of the sentry, filled one fault at a time: the time is spent before the memory',
  },
  '92-kernel-objects.py': {
    fault: /^it ended as time_limit, not ok/,
    reason:
      'these objects are the sentry’s, in the sandbox’s own memory; making them all takes longer than the run may last',
  },
  '93-kernel-surface.py': {
    fault: /^it ended as nonzero, not ok/,
    reason: 'there is no /proc/self/ns/mnt: the program ends by its own exception, with every call until then refused',
  },
  '94-writes-to-proc-and-sys.py': {
    fault: /^stdout has no \/\^tried/,
    reason: 'the sentry’s /proc and /sys hold 28 files to try, not hundreds; none is written',
  },
  '95-device-walk.py': {
    fault: /^stdout has \/LEAK\/m:\n(LEAK (\/dev\/(fuse|net\/tun|pts\/\d+) [01]|made \d+ \d+ \d+)[\n;])+/,
    reason:
      'fuse, tun and the nodes that can be made are devices of the sentry’s own, in user space: none leads to a device of the host',
  },
  '103-memory-exec.py': {
    fault: /^stdout has no \/\^NoNewPrivs/,
    reason: 'the sentry’s /proc/self/status has no such line; everything that the program tries is refused',
  },
};

/** Limit of CPU time of the attacks, ms. An echo costs several times as much there, and the co-tenant must outlive every attack. */
export const CPU_MS = process.env['SANDBOX_RUNTIME'] === 'runsc' ? '4000' : '1000';

/** Undefined: it must end there as anywhere. */
export function runtimeDifference(attack: string): RuntimeDifference | undefined {
  return process.env['SANDBOX_RUNTIME'] === 'runsc' ? RUNSC[attack] : undefined;
}

/** Names of all attacks with a difference. */
export const DIFFERING: readonly string[] = Object.keys(RUNSC);
