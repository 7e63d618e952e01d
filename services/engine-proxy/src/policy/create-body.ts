// What a container may be: the closed shape of the create body, each field with the only values that a sandbox has.
import { SANDBOX_RLIMITS } from '@rungrid/sandbox/rlimits';
import { type Runtime, RUNTIMES, runtimeOf } from '@rungrid/sandbox/runtimes';
import { IMAGE_ID, LABEL_VALUE } from './calls.js';
import { Refusal } from './refusal.js';
import { type SeccompChoice, securityOptions } from './seccomp.js';
import { closed, exactly, listOf, matching, oneOf, refuse, type Shape, whole } from './shape.js';

/** Most that one sandbox may ask for. */
export interface Ceilings {
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
  readonly tmpBytes: number;
  readonly tmpInodes: number;
  readonly openFiles: number;
}

export interface CreatePolicy {
  readonly fleets: readonly string[];
  readonly ceilings: Ceilings;
  readonly seccomp: SeccompChoice;
  /** OCI runtimes that may be named; none: the engine's own, unnamed. */
  readonly runtimes: readonly string[];
  /** Control group that every sandbox must lie under; undefined: none may be named. */
  readonly cgroupParent: string | undefined;
}

/** The engine takes no container with less. */
const LEAST_MEMORY_BYTES = 6_291_456;
/** 0.001 CPU, the engine's own least is 0.01. */
const LEAST_NANO_CPUS = 1_000_000;
/** Above the ids of distributions' own users, and the same for user and group. */
const USER = /^([1-9][0-9]{3,6}):\1$/;
const ENVIRONMENT = /^[A-Za-z_][A-Za-z0-9_]{0,127}=[^\0]{0,4096}$/;
const ARGUMENT = /^[^\0]{0,4096}$/;
/** An empty folder in place of the machine's pseudo terminals. */
const NO_TERMINALS = 'ro,noexec,nosuid,nodev,mode=555,size=4k,nr_inodes=1';
const TMPFS = /^rw,exec,nosuid,nodev,mode=1777,size=([1-9][0-9]{0,12}),nr_inodes=([1-9][0-9]{0,9})$/;

/** Makes the check: bytes of a body in, the JSON to send to the engine out. It throws Refusal. */
export function createBodyCheck(policy: CreatePolicy): (body: Buffer) => { image: string; json: string } {
  const shape = sandboxShape(policy);
  return (body) => {
    const sandbox = shape(parseJson(body), 'body');
    return { image: sandbox.Image, json: JSON.stringify(sandbox) };
  };
}

/** The one change of a container: a whole CPU for one that is being killed, so that it dies at the machine's speed. Throws Refusal. */
export function checkUpdate(body: Buffer): string {
  return JSON.stringify(killed(parseJson(body), 'body'));
}

const killed = closed({ NanoCpus: exactly(1_000_000_000) });

function sandboxShape(policy: CreatePolicy) {
  // Another program than the image's only where a runtime that may be named needs it.
  const entrypoints = knownRuntimes(policy).flatMap(({ entrypoint = [] }) => entrypoint);
  const fields = {
    Image: matching(IMAGE_ID, 'an image id, sha256:…'),
    Cmd: listOf(matching(ARGUMENT, 'a text without NUL'), { min: 0, max: 64 }),
    Env: listOf(matching(ENVIRONMENT, 'NAME=value'), { min: 0, max: 64 }),
    User: matching(USER, 'a number of at least 1000, the same for user and group'),
    Hostname: exactly('sandbox'),
    WorkingDir: exactly('/tmp'),
    Labels: closed({
      'sandbox.owner': matching(LABEL_VALUE, "a worker's id"),
      'sandbox.fleet': oneOf(policy.fleets),
      'sandbox.language': matching(/^[a-z0-9+#-]{1,32}$/, "a language's name"),
      'sandbox.kind': oneOf(['pipe', 'tty', 'compile']),
      'sandbox.uid': matching(/^[1-9][0-9]{3,6}$/, 'a number of at least 1000'),
    }),
    AttachStdin: exactly(true),
    AttachStdout: exactly(true),
    AttachStderr: exactly(true),
    OpenStdin: exactly(true),
    StdinOnce: exactly(true),
    Tty: exactly(false),
    StopTimeout: exactly(0),
    NetworkDisabled: exactly(true),
    HostConfig: hostConfig(policy),
  };
  const shape = closed(fields, { Entrypoint: listOf(oneOf(entrypoints), { min: 1, max: 1 }) });
  return (value: unknown, at: string) => {
    const checked = shape(value, at);
    // Only a program on a terminal sees the machine's pseudo terminals; its agent bounds how many it makes.
    if (checked.Labels['sandbox.kind'] !== 'tty' && checked.HostConfig.Tmpfs['/dev/pts'] === undefined)
      refuse(`${at}.HostConfig.Tmpfs`, 'must hide /dev/pts, but for a terminal');
    return checked;
  };
}

function knownRuntimes(policy: CreatePolicy): Runtime[] {
  return RUNTIMES.filter((name) => policy.runtimes.includes(name)).map(runtimeOf);
}

type HostConfig = { Tmpfs: Readonly<Record<string, unknown>> };

function hostConfig(policy: CreatePolicy): Shape<HostConfig> {
  const { ceilings, cgroupParent } = policy;
  const runtimes = knownRuntimes(policy);
  const parent = cgroupParent === undefined ? {} : { CgroupParent: exactly(cgroupParent) };
  const shape = closed(
    {
      AutoRemove: exactly(true),
      RestartPolicy: closed({ Name: exactly('no') }),
      NetworkMode: exactly('none'),
      Memory: whole({ min: LEAST_MEMORY_BYTES, max: ceilings.memoryBytes }),
      MemorySwap: whole({ min: LEAST_MEMORY_BYTES, max: ceilings.memoryBytes }),
      NanoCpus: whole({ min: LEAST_NANO_CPUS, max: Math.round(ceilings.cpus * 1e9) }),
      // Where a runtime counts more tasks than the program's, that many more.
      PidsLimit: whole({
        min: 1,
        max: Math.max(ceilings.pids, ...runtimes.map(({ hostTasks }) => hostTasks(ceilings.pids))),
      }),
      OomScoreAdj: whole({ min: 0, max: 1000 }),
      ReadonlyRootfs: exactly(true),
      Tmpfs: closed({ '/tmp': tmpfs(ceilings) }, { '/dev/pts': exactly(NO_TERMINALS) }),
      IpcMode: exactly('none'),
      CapDrop: listOf(exactly('ALL'), { min: 1, max: 1 }),
      SecurityOpt: securityOptions(
        policy.seccomp,
        runtimes.some(({ absentCallsPass }) => absentCallsPass),
      ),
      Privileged: exactly(false),
      CgroupnsMode: exactly('private'),
      LogConfig: closed({ Type: exactly('none'), Config: closed({}) }),
      Ulimits: ulimits(ceilings),
      Init: exactly(false),
      ...parent,
    },
    { Runtime: oneOf(policy.runtimes) },
  );
  return (value, at) => {
    const checked = shape(value, at);
    // More of the two together than of memory alone is swap.
    if (checked.MemorySwap !== checked.Memory) refuse(`${at}.MemorySwap`, 'must be the same as Memory');
    return checked;
  };
}

function tmpfs(ceilings: Ceilings): Shape<string> {
  return (value, at) => {
    const match = typeof value === 'string' ? TMPFS.exec(value) : null;
    if (match === null) return refuse(at, 'must be rw,exec,nosuid,nodev,mode=1777 with a size and nr_inodes');
    if (Number(match[1]) > ceilings.tmpBytes) refuse(at, `size must be at most ${ceilings.tmpBytes}`);
    if (Number(match[2]) > ceilings.tmpInodes) refuse(at, `nr_inodes must be at most ${ceilings.tmpInodes}`);
    return match[0];
  };
}

/** Every limit that a sandbox has, each once and none else: soft and hard alike. */
function ulimits(ceilings: Ceilings): Shape<unknown> {
  const most: Record<string, number> = { ...SANDBOX_RLIMITS, nofile: ceilings.openFiles, fsize: ceilings.tmpBytes };
  const names = Object.keys(most);
  const limit = whole({ min: 0, max: Number.MAX_SAFE_INTEGER });
  const item = closed({ Name: oneOf(names), Soft: limit, Hard: limit });
  const list = listOf(item, { min: names.length, max: names.length });
  return (value, at) => {
    const checked = list(value, at);
    for (const name of names) if (!checked.some(({ Name }) => Name === name)) refuse(at, `${name} is missing`);
    for (const { Name, Soft, Hard } of checked) {
      if (Soft !== Hard) refuse(`${at}.${Name}`, 'soft and hard must be the same');
      if (Hard > (most[Name] ?? 0)) refuse(`${at}.${Name}`, `must be at most ${most[Name]}`);
    }
    return checked;
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch (error) {
    throw new Refusal('bad_body', 'body: is not JSON in UTF-8', { cause: error });
  }
}
