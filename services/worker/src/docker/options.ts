// Options of the Docker engine: what each means, its unit, default and range; checked once.
import { LABEL_VALUE } from '@rungrid/sandbox/docker-body';
import { type Runtime, type RuntimeName, runtimeOf } from '@rungrid/sandbox/runtimes';
import { OPEN_FILES, SANDBOX_UIDS } from '@rungrid/sandbox/sandbox-spec';
import { DENYING_ACTIONS, SECCOMP_PROFILE, SECCOMP_PROFILE_ABSENT_PASSES } from '@rungrid/sandbox/seccomp';

export interface DockerOptions {
  /** Id of this worker, `[A-Za-z0-9_-]{1,64}`: the owner label of every sandbox. */
  readonly workerId: string;
  /**
   * The workers that know each other's ids, same pattern. Default `rungrid`. On an engine that several installations share, each
   * needs its own: a worker's reap asks only about owners of its own fleet.
   */
  readonly fleet?: string;
  /** Where the engine listens: `unix:///path` or `tcp://host:port` (plain; a remote engine belongs behind a tunnel). Default: DOCKER_HOST, else `unix:///var/run/docker.sock`. */
  readonly host?: string;
  /** Deadline of each engine call, ms, 100..600000. Default 10000: a loaded engine starts a container in about one second. */
  readonly callTimeoutMs?: number;
  /** Connections for engine calls, 2..256; attached streams do not count. Default 16: the pool starts and destroys at most eight at once. */
  readonly maxSockets?: number;
  /** OCI runtime by its name in the engine's configuration. Default: the engine's own, runc. */
  readonly runtime?: RuntimeName;
  /**
   * System call filter, as the JSON text of a profile in Docker's form, or `engine` for the engine's own default. A sandbox always
   * has a filter: a profile whose default action allows calls is refused. Default: services/sandbox/seccomp.
   */
  readonly seccompProfile?: string;
  /** Parent cgroup of the sandboxes (`/rungrid`, or `rungrid.slice` with the systemd driver). Default: the engine's. */
  readonly cgroupParent?: string;
  /** Where the cgroup hierarchy is mounted. Default `/sys/fs/cgroup`. Counters come from the slower engine API where it is not readable. */
  readonly cgroupRoot?: string;
  /** First uid (= gid) of the sandboxes, 1000..4000000. Default 20000: no distribution assigns these, and they fit a remapped user namespace of 65536. */
  readonly uidBase?: number;
  /** Number of uids that all workers on an engine share, 1..65536. Default 45056: up to the end of such a namespace. */
  readonly uidCount?: number;
  /** Number of them that one worker has to itself, and so its most live sandboxes, 1..65536. Default 2048: 22 workers. */
  readonly uidLane?: number;
  /** Age at which a sandbox that was never assigned to a run is past its deadline, ms, 60000..86400000. Default 1800000: well above the pool's maximum age. */
  readonly idleDeadlineMs?: number;
  /** How long a run must live before its container is renamed after it, ms, 0..60000. Default 300: most runs are shorter, and save the call. */
  readonly assignDelayMs?: number;
  /** Score by which the kernel picks a sandbox before anything else when the whole machine is out of memory, 0..1000. Default 500; the agent's children go higher still. */
  readonly oomScoreAdj?: number;
  /** Open files in a sandbox, 16..65536. Default 256. */
  readonly openFiles?: number;
}

/** The options with every default filled in. */
export type ResolvedDockerOptions = Readonly<
  Required<Omit<DockerOptions, 'runtime' | 'cgroupParent' | 'seccompProfile'>> & {
    /** Named in the create call; undefined: the engine's default. */
    runtime: RuntimeName | undefined;
    /** What that runtime needs. */
    needs: Runtime;
    /** Undefined: the engine's own. */
    seccompProfile: string | undefined;
    cgroupParent: string | undefined;
  }
>;

/** Fills in defaults. Throws RangeError naming the option that is out of its range. */
export function resolveDockerOptions(options: DockerOptions): ResolvedDockerOptions {
  if (!LABEL_VALUE.test(options.workerId)) throw new RangeError('workerId: must be 1-64 of A-Z a-z 0-9 _ -');
  const needs = runtimeOf(options.runtime ?? 'runc');
  const profile = needs.absentCallsPass ? SECCOMP_PROFILE_ABSENT_PASSES : SECCOMP_PROFILE;
  if (!LABEL_VALUE.test(options.fleet ?? 'rungrid')) throw new RangeError('fleet: must be 1-64 of A-Z a-z 0-9 _ -');
  return Object.freeze({
    workerId: options.workerId,
    fleet: options.fleet ?? 'rungrid',
    host: options.host ?? (process.env['DOCKER_HOST'] || 'unix:///var/run/docker.sock'),
    callTimeoutMs: within('callTimeoutMs', options.callTimeoutMs ?? 10_000, [100, 600_000]),
    maxSockets: within('maxSockets', options.maxSockets ?? 16, [2, 256]),
    runtime: options.runtime,
    needs,
    seccompProfile: seccompProfile(options.seccompProfile ?? profile),
    cgroupParent: options.cgroupParent || undefined,
    cgroupRoot: options.cgroupRoot ?? '/sys/fs/cgroup',
    uidBase: within('uidBase', options.uidBase ?? 20_000, [SANDBOX_UIDS.min, 4_000_000]),
    uidCount: within('uidCount', options.uidCount ?? 45_056, [1, 65_536]),
    uidLane: within('uidLane', options.uidLane ?? 2_048, [1, 65_536]),
    idleDeadlineMs: within('idleDeadlineMs', options.idleDeadlineMs ?? 1_800_000, [60_000, 86_400_000]),
    assignDelayMs: within('assignDelayMs', options.assignDelayMs ?? 300, [0, 60_000]),
    oomScoreAdj: within('oomScoreAdj', options.oomScoreAdj ?? 500, [0, 1000]),
    openFiles: within('openFiles', options.openFiles ?? OPEN_FILES, [16, 65_536]),
  });
}

/** The text itself, undefined for the engine's own. Throws RangeError for a profile that does not deny by default. */
function seccompProfile(given: string): string | undefined {
  if (given === 'engine') return undefined;
  const action = defaultAction(given);
  if (action !== undefined && DENYING_ACTIONS.includes(action)) return given;
  throw new RangeError('seccompProfile: must be "engine" or the JSON text of a profile that denies by default');
}

function defaultAction(text: string): string | undefined {
  try {
    const profile = JSON.parse(text) as { defaultAction?: unknown } | null;
    return typeof profile?.defaultAction === 'string' ? profile.defaultAction : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Where to connect, in dockerode's terms. Throws RangeError for anything but unix and tcp. */
export function engineAddress(host: string): { socketPath: string } | { host: string; port: number; protocol: 'http' } {
  if (host.startsWith('unix://') && host.length > 'unix://'.length) return { socketPath: host.slice('unix://'.length) };
  const url = URL.canParse(host) ? new URL(host) : undefined;
  if (url?.protocol !== 'tcp:' || url.hostname === '')
    throw new RangeError('host: must be unix:///path or tcp://host:port');
  return { host: url.hostname, port: Number(url.port || 2375), protocol: 'http' };
}

function within(name: string, value: number, [low, high]: readonly [number, number]): number {
  if (!Number.isInteger(value) || value < low || value > high)
    throw new RangeError(`${name}: must be an integer in ${low}..${high}`);
  return value;
}
