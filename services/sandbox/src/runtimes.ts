// What an OCI runtime other than runc needs, and which checks of the self-test differ in its sandboxes.

/** Runtimes that a worker takes. `kata` (one virtual machine per sandbox) needs nothing special and is untested. */
export const RUNTIMES = ['runc', 'runsc', 'kata'] as const;
export type RuntimeName = (typeof RUNTIMES)[number];

/** A check of the self-test that finds something else on this runtime. */
interface Difference {
  /** What is found instead, the whole of it: anything else is a failure. */
  readonly found: RegExp;
  /** One line for a person. */
  readonly reason: string;
}

export interface Runtime {
  readonly name: RuntimeName;
  /** Another program than the image's as PID 1. */
  readonly entrypoint?: string;
  /** Memory of the runtime itself, which the host's control group charges to the sandbox, bytes. */
  readonly memoryAllowanceBytes: number;
  /** Tasks of the host for so many processes of the program. */
  readonly hostTasks: (processes: number) => number;
  /** Its filter knows one refusal only, EPERM: calls that must look absent pass to its own kernel, which lacks them. */
  readonly absentCallsPass: boolean;
  /** By name of the check. */
  readonly differences: Readonly<Record<string, Difference>>;
}

const plain = { memoryAllowanceBytes: 0, hostTasks: (processes: number) => processes, absentCallsPass: false };
const NO_GROUPS = 'gVisor shows no control groups inside; the host holds this limit over sandbox and sentry together';

/** Measured on gVisor 20221219 (Debian 12 and 13), platform ptrace. */
const runsc: Runtime = {
  name: 'runsc',
  // It reads a program in order to run it, and the agent proper can be executed only.
  entrypoint: '/rungrid/agent-readable',
  // Sentry and gofer take 14 MB idle and 47 MB with 60 processes.
  memoryAllowanceBytes: 67_108_864,
  // Sentry and gofer are 38 threads; each address space is 8 more tasks of the host. Threads of the program cost next to none.
  hostTasks: (processes) => 64 + 8 * processes,
  absentCallsPass: true,
  differences: {
    'root file system read-only': {
      found: /^it is writable$/,
      reason: 'gVisor does not show the flag; another check tries to write everywhere',
    },
    '/tmp within its size and inodes': {
      found: /^\d+ 0$/,
      reason: 'gVisor holds the size, knows no inode limit (files are memory of the sandbox) and shows no flags',
    },
    'no capabilities': { found: /^CapAmb$/, reason: 'gVisor has no ambient set; the other four are empty' },
    no_new_privs: { found: /^not visible instead of 1$/, reason: 'gVisor does not show it; it is always set there' },
    'memory limit': { found: /^not visible instead of \d+$/, reason: NO_GROUPS },
    'process limit': { found: /^not visible instead of \d+$/, reason: NO_GROUPS },
    'CPU quota': { found: /^none of none µs$/, reason: NO_GROUPS },
    'PID 1 out of reach': {
      found: /^environ, maps, fd, auxv$/,
      // Seen: writing to /proc/1/fd/1 reaches the worker, whose decoder takes nothing on trust.
      reason:
        'gVisor’s /proc opens them to the same uid, so a program can forge the frames of its own run, and of no other; memory and ptrace stay closed',
    },
    'no device of the host': { found: /^net, fuse$/, reason: 'devices of gVisor’s own kernel, not of the host' },
  },
};

const TABLE: Readonly<Record<RuntimeName, Runtime>> = {
  runc: { name: 'runc', ...plain, differences: {} },
  runsc,
  kata: { name: 'kata', ...plain, differences: {} },
};

export function runtimeOf(name: RuntimeName): Runtime {
  return TABLE[name];
}

/** Arguments with which an engine is to know runsc (daemon.json, runtimes.runsc.runtimeArgs), each with its reason. */
export const RUNSC_ARGS: readonly string[] = [
  // No network stack at all, also not one of its own.
  '--network=none',
  // Works without /dev/kvm and in a virtual machine.
  '--platform=ptrace',
  // Our system call filter holds inside too; without it gVisor leaves it out.
  '--oci-seccomp',
];
