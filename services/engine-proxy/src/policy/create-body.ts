// What a container may be: exactly the body that the worker's own code makes, for settings within the configured limits.
import { type DockerSettings, dockerBody, LABEL_VALUE, LABELS } from '@rungrid/sandbox/docker-body';
import { RUNTIMES, runtimeOf } from '@rungrid/sandbox/runtimes';
import { SANDBOX_UIDS } from '@rungrid/sandbox/sandbox-spec';
import { IMAGE_ID } from './calls.js';
import { fieldOf } from './names.js';
import { Refusal } from './refusal.js';
import { type SeccompChoice, seccompFilter } from './seccomp.js';
import { listOf, matching, oneOf, refuse, requireSame, type Shape, whole } from './shape.js';

/** Most that one sandbox may ask for. */
export interface MaxLimits {
  readonly memoryBytes: number;
  readonly cpus: number;
  readonly pids: number;
  readonly tmpBytes: number;
  readonly tmpInodes: number;
  readonly openFiles: number;
}

export interface CreatePolicy {
  readonly fleets: readonly string[];
  readonly maxLimits: MaxLimits;
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
const ENVIRONMENT = /^[A-Za-z_][A-Za-z0-9_]{0,127}=[^\0]{0,4096}$/;
const ARGUMENT = /^[^\0]{0,4096}$/;
const TMPFS_SIZE = /,size=([1-9][0-9]{0,12}),nr_inodes=([1-9][0-9]{0,9})$/;
/** Change of a container that is being killed: a whole CPU, so that it dies at the machine's speed. */
const KILL_UPDATE = { NanoCpus: 1_000_000_000 };

/** The check of a body: its bytes in, the JSON for the engine out. It throws Refusal. */
export function createBodyCheck(policy: CreatePolicy): (body: Buffer) => { image: string; json: string } {
  return (bytes) => {
    const body = parseJson(bytes);
    const { settings, seccompProfile } = readSettings(body, policy);
    // No byte of the request goes on: the engine gets the worker's body for these settings, rebuilt.
    requireSame(body, dockerBody(settings), 'body');
    return { image: settings.image, json: JSON.stringify(dockerBody({ ...settings, seccompProfile })) };
  };
}

/** The one change of a container. Throws Refusal. */
export function checkUpdate(body: Buffer): string {
  requireSame(parseJson(body), KILL_UPDATE, 'body');
  return JSON.stringify(KILL_UPDATE);
}

/** The settings in a body, each within its range; `seccompProfile` replaces the one in the body. */
function readSettings(
  body: unknown,
  { fleets, maxLimits: most, seccomp, runtimes, cgroupParent }: CreatePolicy,
): { settings: DockerSettings; seccompProfile: string | undefined } {
  const read = <T>(path: readonly string[], shape: Shape<T>): T =>
    shape(path.reduce<unknown>(fieldOf, body), `body.${path.join('.')}`);
  const host = <T>(name: string, shape: Shape<T>): T => read(['HostConfig', name], shape);
  const label = (name: keyof typeof LABELS, shape: Shape<string>): string => read(['Labels', LABELS[name]], shape);

  const runtimeName = host('Runtime', optional(oneOf(RUNTIMES.filter((name) => runtimes.includes(name)))));
  const runtime = RUNTIMES.find((name) => name === runtimeName);
  const needs = runtimeOf(runtime ?? 'runc');
  const filter = read(['HostConfig', 'SecurityOpt', '1'], seccompFilter(seccomp, needs));
  const tmpfs = read(['HostConfig', 'Tmpfs', '/tmp'], matching(TMPFS_SIZE, 'a tmpfs with size and nr_inodes'));
  const [, tmpBytes, tmpInodes] = TMPFS_SIZE.exec(tmpfs) ?? [];
  const uid = Number(label('uid', matching(/^[1-9][0-9]{0,8}$/, 'a number')));
  const kind = label('kind', oneOf(['pipe', 'tty', 'compile'])) as DockerSettings['kind'];
  const settings: DockerSettings = {
    image: read(['Image'], matching(IMAGE_ID, 'an image id, sha256:…')),
    command: read(['Cmd'], listOf(matching(ARGUMENT, 'a text without NUL'), { min: 0, max: 64 })),
    env: read(['Env'], listOf(matching(ENVIRONMENT, 'NAME=value'), { min: 0, max: 64 })),
    kind,
    uid: whole(SANDBOX_UIDS)(uid, `body.Labels.${LABELS.uid}`),
    memoryBytes: host('Memory', whole({ min: LEAST_MEMORY_BYTES, max: most.memoryBytes })),
    cpus: host('NanoCpus', whole({ min: LEAST_NANO_CPUS, max: Math.round(most.cpus * 1e9) })) / 1e9,
    tasks: host('PidsLimit', whole({ min: 1, max: needs.hostTasks(most.pids) })),
    tmpBytes: whole({ min: 1, max: most.tmpBytes })(Number(tmpBytes), 'body.HostConfig.Tmpfs size'),
    tmpInodes: whole({ min: 1, max: most.tmpInodes })(Number(tmpInodes), 'body.HostConfig.Tmpfs nr_inodes'),
    openFiles: host('Ulimits', openFiles(most.openFiles)),
    oomScoreAdj: host('OomScoreAdj', whole({ min: 0, max: 1000 })),
    seccompProfile: filter.given,
    cgroupParent,
    owner: label('owner', matching(LABEL_VALUE, "a worker's id")),
    fleet: label('fleet', oneOf(fleets)),
    language: label('language', matching(/^[a-z0-9+#-]{1,32}$/, "a language's name")),
    runtime,
  };
  return { settings, seccompProfile: filter.sent };
}

function optional<T>(shape: Shape<T>): Shape<T | undefined> {
  return (value, at) => (value === undefined ? undefined : shape(value, at));
}

/** The one resource limit with a setting of its own. */
function openFiles(max: number): Shape<number> {
  return (value, at) => {
    const limits: unknown[] = Array.isArray(value) ? value : refuse(at, 'must be a list');
    const limit = limits.find((each) => fieldOf(each, 'Name') === 'nofile');
    return whole({ min: 0, max })(fieldOf(limit, 'Hard'), `${at}.nofile`);
  };
}

function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(body));
  } catch (error) {
    throw new Refusal('bad_body', 'body: is not JSON in UTF-8', { cause: error });
  }
}
