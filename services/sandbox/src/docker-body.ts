// A sandbox in Docker's terms: the body of the create call, which the worker sends; the engine proxy accepts no other.
import { type RuntimeName, runtimeOf } from './runtimes.js';
import { SANDBOX, type SandboxSettings, sandboxRlimits, sandboxTmpfs } from './sandbox-spec.js';

export interface DockerSettings extends SandboxSettings {
  /** Id of the worker that owns the sandbox. */
  readonly owner: string;
  /** The workers that know each other's ids, its owner among them. */
  readonly fleet: string;
  readonly language: string;
  /** OCI runtime. Undefined: the engine's own. */
  readonly runtime: RuntimeName | undefined;
}

/** Labels of a sandbox. `uid` lets other workers on the engine keep clear of it. */
export const LABELS = {
  owner: 'sandbox.owner',
  fleet: 'sandbox.fleet',
  language: 'sandbox.language',
  kind: 'sandbox.kind',
  uid: 'sandbox.uid',
} as const;

/** What the labels for owner and fleet may hold. */
export const LABEL_VALUE = /^[A-Za-z0-9_-]{1,64}$/;

export type DockerBody = ReturnType<typeof dockerBody>;

export function dockerBody(settings: DockerSettings) {
  const { uid, memoryBytes, seccompProfile, runtime, cgroupParent } = settings;
  const { entrypoint } = runtimeOf(runtime ?? 'runc');
  return {
    Image: settings.image,
    ...(entrypoint === undefined ? {} : { Entrypoint: [entrypoint] }),
    Cmd: [...settings.command],
    Env: [...settings.env],
    User: `${uid}:${uid}`,
    Hostname: SANDBOX.hostname,
    WorkingDir: SANDBOX.workingDirectory,
    Labels: {
      [LABELS.owner]: settings.owner,
      [LABELS.fleet]: settings.fleet,
      [LABELS.language]: settings.language,
      [LABELS.kind]: settings.kind,
      [LABELS.uid]: String(uid),
    },
    // The agent protocol runs over stdin and stdout; stderr is attached so that the engine has somewhere to put it.
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    OpenStdin: true,
    // The engine closes the sandbox's stdin when the worker's connection is lost, and the agent then exits: an orphan ends by itself.
    StdinOnce: true,
    Tty: SANDBOX.terminalForAgent,
    StopTimeout: SANDBOX.stopTimeoutS,
    // The runtime makes the empty network namespace. NetworkMode `none` alone has the engine run a second copy of itself as a hook in each
    // start, which halves the rate of starts.
    NetworkDisabled: SANDBOX.network === 'none',
    HostConfig: {
      // The engine removes the container as soon as PID 1 has ended, also when its worker is dead.
      AutoRemove: true,
      RestartPolicy: { Name: SANDBOX.restart },
      NetworkMode: SANDBOX.network,
      Memory: memoryBytes,
      // Memory plus swap: equal means no swap.
      MemorySwap: memoryBytes,
      NanoCpus: Math.round(settings.cpus * 1e9),
      PidsLimit: settings.tasks,
      OomScoreAdj: settings.oomScoreAdj,
      ReadonlyRootfs: SANDBOX.rootReadOnly,
      Tmpfs: sandboxTmpfs(settings),
      IpcMode: SANDBOX.ipc,
      CapDrop: SANDBOX.droppedCapabilities,
      // The engine's masked paths stay: a list given here would replace them.
      SecurityOpt: [
        ...(SANDBOX.noNewPrivileges ? ['no-new-privileges'] : []),
        ...(seccompProfile === undefined ? [] : [`seccomp=${seccompProfile}`]),
      ],
      Privileged: SANDBOX.privileged,
      CgroupnsMode: SANDBOX.cgroupNamespace,
      LogConfig: { Type: SANDBOX.logDriver, Config: {} },
      Ulimits: Object.entries(sandboxRlimits(settings)).map(([Name, value]) => ({ Name, Soft: value, Hard: value })),
      Init: SANDBOX.engineInit,
      ...(runtime === undefined ? {} : { Runtime: runtime }),
      ...(cgroupParent === undefined ? {} : { CgroupParent: cgroupParent }),
    },
  };
}
