// What every sandbox is, whichever engine makes it: each property once, with its reason, in the kernel's terms. docker-body.ts has Docker's.

/** What differs from one sandbox to the next. */
export interface SandboxSettings {
  readonly image: string;
  readonly command: readonly string[];
  /** `NAME=value` each. */
  readonly env: readonly string[];
  /** `compile`: a compiler, on pipes. */
  readonly kind: 'pipe' | 'tty' | 'compile';
  /** uid and gid, shared with no other sandbox that lives: the kernel counts some limits by uid, for the whole host. */
  readonly uid: number;
  /** Memory limit of the control group, bytes. Swap is always off. */
  readonly memoryBytes: number;
  readonly cpus: number;
  /** Most processes and threads. */
  readonly tasks: number;
  readonly tmpBytes: number;
  readonly tmpInodes: number;
  /** Most open files of a process. */
  readonly openFiles: number;
  /** 0..1000: when the machine itself is short of memory, the kernel kills sandboxes first. */
  readonly oomScoreAdj: number;
  /** System call filter, JSON text. Undefined: the engine's own. */
  readonly seccompProfile: string | undefined;
  /** Undefined: the engine's own. */
  readonly cgroupParent: string | undefined;
}

/** What is the same for all of them. */
export const SANDBOX = {
  /** A constant: the default would show the program its container's id. */
  hostname: 'sandbox',
  /** A constant: an image could name another one, and an engine would make a missing one. */
  workingDirectory: '/tmp',
  rootReadOnly: true,
  privileged: false,
  droppedCapabilities: ['ALL'],
  /** A setuid binary gains nothing. */
  noNewPrivileges: true,
  /** An empty namespace, in which not even the loopback interface is up. */
  network: 'none',
  /** A namespace without /dev/shm, which would be 64 MB of writable memory beside /tmp. */
  ipc: 'none',
  /** The program sees a root of its own, not its place among the host's groups. */
  cgroupNamespace: 'private',
  /** The agent runs on pipes: exact bytes. Where the program has a terminal, the agent makes it. */
  terminalForAgent: false,
  /** The agent is PID 1 and reaps, so the engine adds no init process. */
  engineInit: false,
  /** Output is never written to the node's disk. */
  logDriver: 'none',
  restart: 'no',
  /** No process in a sandbox deserves a grace period, seconds. */
  stopTimeoutS: 0,
};

/** uids that a sandbox may have: above every distribution's system users. An engine's options choose a range among them. */
export const SANDBOX_UIDS = { min: 1000, max: 4_065_535 };

/** Default of `openFiles`. */
export const OPEN_FILES = 256;

/** Options of every tmpfs, by path, as mount(8) takes them. Nothing else is writable. */
export function sandboxTmpfs(settings: Pick<SandboxSettings, 'kind' | 'tmpBytes' | 'tmpInodes'>) {
  const { kind, tmpBytes, tmpInodes } = settings;
  return {
    // Compiled programs run from here.
    '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${tmpBytes},nr_inodes=${tmpInodes}`,
    // Pseudo terminals are counted for the whole machine and by nothing else, so that one sandbox could take them all. A program on pipes
    // sees none; where a program has one, the agent limits how many it makes.
    ...(kind === 'tty' ? {} : { '/dev/pts': 'ro,noexec,nosuid,nodev,mode=555,size=4k,nr_inodes=1' }),
  };
}

/**
 * Resource limits of every process, soft and hard alike: a limit that cannot be raised needs no watching. The control group limits the
 * number of processes, since it also counts refusals.
 */
export function sandboxRlimits({ openFiles, tmpBytes }: Pick<SandboxSettings, 'openFiles' | 'tmpBytes'>) {
  return {
    /** The host's handler would write a dump, outside of every limit of the sandbox. Bytes. */
    core: 0,
    nofile: openFiles,
    /** Memory that the kernel may not move away: its own old default. Bytes. */
    memlock: 65_536,
    /** POSIX message queues are kernel memory reachable through /dev/mqueue, which stays mounted. Bytes. */
    msgqueue: 0,
    /** Queued signals and POSIX timers are kernel memory that nothing else counts; far above what 64 processes queue. */
    sigpending: 256,
    /** No real time and no higher priority: they would be taken from the co-tenants. */
    rtprio: 0,
    nice: 0,
    /** Of one file: /tmp as a whole has the same size. It also bounds a memfd, which lies on no mount. Bytes. */
    fsize: tmpBytes,
  };
}
