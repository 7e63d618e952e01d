// From what a sandbox must be to Docker's create options: one flat, pure table, each field with its reason.
import { SANDBOX_RLIMITS } from '@rungrid/sandbox/rlimits';
import type Docker from 'dockerode';
import type { SandboxSpec } from '../run/ports.js';
import { FLEET_LABEL, KIND_LABEL, LANGUAGE_LABEL, OWNER_LABEL, UID_LABEL } from './names.js';
import type { ResolvedDockerOptions } from './options.js';

/** dockerode's types lack this one. */
export type CreateOptions = Omit<Docker.ContainerCreateOptions, 'HostConfig' | 'name' | 'abortSignal'> & {
  HostConfig: Docker.HostConfig & { CgroupnsMode: 'private' };
};

/** The frozen body of the create call. `uid` is this sandbox's own, unshared while it lives. */
export function createOptions(
  spec: SandboxSpec,
  sandbox: { uid: number; options: ResolvedDockerOptions },
): CreateOptions {
  const { uid, options } = sandbox;
  const { limits } = spec;
  const { needs } = options;
  // The host's group holds the runtime too, where that is more than the program.
  const memoryBytes = limits.memoryBytes + needs.memoryAllowanceBytes;
  const body: CreateOptions = {
    Image: spec.image,
    ...(needs.entrypoint === undefined ? {} : { Entrypoint: [needs.entrypoint] }),
    Cmd: [...spec.command],
    Env: [...spec.env],
    // Neither root nor anybody else's: kernel limits that count by uid are then this sandbox's own.
    User: `${uid}:${uid}`,
    // A constant: the default would tell the program the container's id.
    Hostname: 'sandbox',
    // A constant too: an image could say otherwise, and a folder that is missing would be made.
    WorkingDir: '/tmp',
    Labels: {
      [OWNER_LABEL]: options.workerId,
      [FLEET_LABEL]: options.fleet,
      [LANGUAGE_LABEL]: spec.language,
      [KIND_LABEL]: spec.class === 'compile' ? 'compile' : spec.mode,
      [UID_LABEL]: String(uid),
    },
    // The agent protocol runs over stdin and stdout; stderr is attached so that the engine has somewhere to put it.
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    // The engine closes the sandbox's stdin when the worker's connection is lost, and the agent then exits: an orphan ends by itself.
    StdinOnce: true,
    // Exact bytes; a terminal is the agent's business.
    Tty: false,
    // Nothing in a sandbox deserves a grace period.
    StopTimeout: 0,
    // An empty network namespace made by the runtime itself, without even a loopback that is up. NetworkMode none alone has the engine
    // run a second copy of itself as a hook in each start, which halves the rate of starts.
    NetworkDisabled: true,
    HostConfig: {
      // Removed by the engine as soon as PID 1 is gone, also when nobody is left to ask for it.
      AutoRemove: true,
      RestartPolicy: { Name: 'no' },
      NetworkMode: 'none',
      Memory: memoryBytes,
      // Memory plus swap: equal means no swap.
      MemorySwap: memoryBytes,
      NanoCpus: Math.round(limits.cpus * 1e9),
      PidsLimit: needs.hostTasks(limits.pids),
      // When the machine itself is short of memory, sandboxes go first.
      OomScoreAdj: options.oomScoreAdj,
      ReadonlyRootfs: true,
      Tmpfs: {
        // The only writable place. Docker's default is noexec, and compiled programs run from here.
        '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${limits.tmpBytes},nr_inodes=${limits.tmpInodes}`,
        // No pseudo terminals where programs are on pipes: these are counted for the whole machine and by nothing else, so that one sandbox
        // could take them all from the others. Where the program has one, the agent sees to it that it stays at a few.
        ...(spec.mode === 'tty' ? {} : { '/dev/pts': 'ro,noexec,nosuid,nodev,mode=555,size=4k,nr_inodes=1' }),
      },
      // No /dev/shm at all: it would be 64 MB of writable memory beside /tmp.
      IpcMode: 'none',
      CapDrop: ['ALL'],
      // A setuid binary gains nothing; system calls by our own list. The engine's masked paths stay: a list given here would replace them.
      SecurityOpt: ['no-new-privileges', ...seccomp(options)],
      Privileged: false,
      // The program sees a root of its own, not its place among the host's groups.
      CgroupnsMode: 'private',
      // Output is never written to the node's disk.
      LogConfig: { Type: 'none', Config: {} },
      Ulimits: ulimits({ nofile: options.openFiles, fsize: limits.tmpBytes }),
      // The agent is PID 1 and reaps.
      Init: false,
      ...(options.runtime === undefined ? {} : { Runtime: options.runtime }),
      ...(options.cgroupParent === undefined ? {} : { CgroupParent: options.cgroupParent }),
    },
  };
  return Object.freeze(body);
}

function seccomp({ seccompProfile }: ResolvedDockerOptions): string[] {
  return seccompProfile === undefined ? [] : [`seccomp=${seccompProfile}`];
}

/** `fsize`, of one file: /tmp as a whole has the same size. It also bounds a memfd, which lies on no mount. */
function ulimits(own: { nofile: number; fsize: number }): Docker.Ulimit[] {
  return Object.entries({ ...SANDBOX_RLIMITS, ...own }).map(([Name, value]) => ({ Name, Soft: value, Hard: value }));
}
