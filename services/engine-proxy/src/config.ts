// The engine proxy's configuration: every environment variable, its meaning, unit, default and range.
import { ConfigError, DEFAULT_PREFIX, readConfig } from '@rungrid/kit/config';
import { LABEL_VALUE } from '@rungrid/sandbox/docker-body';
import { type Static, Type } from 'typebox';

const count = (value: number, maximum: number, minimum = 1) => Type.Integer({ default: value, minimum, maximum });

const ProxyConfigSchema = Type.Object({
  /** The workers' own: they may touch the containers of its fleet and of that fleet's self-test. */
  RUNGRID_PREFIX: Type.String({ default: DEFAULT_PREFIX, pattern: '^[a-z0-9-]{1,32}$' }),
  RUNGRID_LOG_LEVEL: Type.Union(
    (['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const).map((level) => Type.Literal(level)),
    { default: 'info' },
  ),
  /** Unix socket that workers are given: their DOCKER_HOST is unix:// and this path. At most 107 bytes. */
  ENGINE_PROXY_SOCKET: Type.String({ default: '/run/rungrid/engine.sock', pattern: '^/.{1,106}$' }),
  /** Permissions of that socket, octal. A process that may write to it may make sandboxes, and nothing else. */
  ENGINE_PROXY_SOCKET_MODE: Type.String({ default: '0600', pattern: '^0?[0-7]{3}$' }),
  /** uid:gid of that socket's owner. Default: those of this process; another one needs CAP_CHOWN. */
  ENGINE_PROXY_SOCKET_OWNER: Type.Optional(Type.String({ pattern: '^[0-9]{1,9}:[0-9]{1,9}$' })),
  /** The engine's own unix socket. */
  ENGINE_PROXY_ENGINE: Type.String({ default: '/var/run/docker.sock', pattern: '^/.{1,106}$' }),
  /** Metrics and health, internal. */
  ENGINE_PROXY_INTERNAL_HOST: Type.String({ default: '127.0.0.1' }),
  /** 0 takes a free port. */
  ENGINE_PROXY_INTERNAL_PORT: count(0, 65_535, 0),

  /** Images that may be inspected and run, separated by commas: whole names, or prefixes that end with a slash. */
  ENGINE_PROXY_IMAGES: Type.String({
    default: 'rungrid/',
    pattern: '^[a-z0-9][A-Za-z0-9._:/-]*(,[a-z0-9][A-Za-z0-9._:/-]*)*$',
  }),
  /**
   * System call filter that a sandbox must have: `default`, the text of services/sandbox/seccomp of this version, byte for byte;
   * `denying`, any profile whose default action denies; `engine`, the first or the engine's own. A sandbox without a filter is never allowed.
   */
  ENGINE_PROXY_SECCOMP: Type.Union([Type.Literal('default'), Type.Literal('denying'), Type.Literal('engine')], {
    default: 'default',
  }),
  /** OCI runtimes that may be named (`runsc`), separated by commas. Default: none, which is the engine's own. */
  ENGINE_PROXY_RUNTIMES: Type.String({ default: '', pattern: '^([A-Za-z0-9._-]{1,64}(,[A-Za-z0-9._-]{1,64})*)?$' }),
  /** Control group that every sandbox must lie under: the workers' WORKER_CGROUP_PARENT. Default: none may be named. */
  ENGINE_PROXY_CGROUP_PARENT: Type.Optional(
    Type.String({ pattern: '^(/[A-Za-z0-9_.-]{1,64}|[A-Za-z0-9_-]{1,64}\\.slice)$' }),
  ),
  /** Most memory and swap together of one sandbox, bytes. */
  ENGINE_PROXY_MEMORY_BYTES: count(536_870_912, 68_719_476_736, 6_291_456),
  /** Most CPUs of one sandbox. */
  ENGINE_PROXY_CPUS: Type.Number({ default: 1, minimum: 0.01, maximum: 64 }),
  /** Most processes and threads of one sandbox. */
  ENGINE_PROXY_PIDS: count(256, 32_768),
  /** Largest /tmp of one sandbox, bytes. */
  ENGINE_PROXY_TMP_BYTES: count(134_217_728, 4_294_967_296, 65_536),
  /** Most files in /tmp of one sandbox. */
  ENGINE_PROXY_TMP_INODES: count(4096, 1_000_000, 16),
  /** Most open files of a process in a sandbox. */
  ENGINE_PROXY_OPEN_FILES: count(1024, 65_536, 16),

  /** Open connections of workers; each attached sandbox has one. Past it a new one is closed at once. */
  ENGINE_PROXY_CONNECTIONS: count(1024, 65_536),
  /** Concurrent calls to the engine, of all workers; more wait within their deadline. Attached streams do not count. */
  ENGINE_PROXY_ENGINE_CALLS: count(64, 1024),
  /** Largest body of a request, bytes: that of a create is 8 KB. Past it: 413. */
  ENGINE_PROXY_BODY_BYTES: count(65_536, 1_048_576, 16_384),
  /** Largest answer of the engine, bytes: a list has 1 KB per container. Past it: 502. */
  ENGINE_PROXY_ANSWER_BYTES: count(16_777_216, 268_435_456, 65_536),
  /** From a request's first byte to its last, ms. Past it: 408. */
  ENGINE_PROXY_REQUEST_MS: count(10_000, 600_000, 100),
  /** From a call to the engine's whole answer, or to the head of a stream, ms. Past it: 504. Above the worker's own deadline. */
  ENGINE_PROXY_ENGINE_MS: count(30_000, 600_000, 100),
});

export type ProxyConfig = Readonly<Static<typeof ProxyConfigSchema>>;

/** Throws ConfigError, which names what is wrong. */
export function readProxyConfig(env?: NodeJS.ProcessEnv): ProxyConfig {
  const config = readConfig(ProxyConfigSchema, env);
  if (config.ENGINE_PROXY_SOCKET === config.ENGINE_PROXY_ENGINE)
    throw new ConfigError('ENGINE_PROXY_SOCKET: is the engine’s own socket (ENGINE_PROXY_ENGINE).');
  return config;
}

/** The labels of the containers that workers with this prefix make: their runs' and their self-test's. */
export function fleetsOf({ RUNGRID_PREFIX: prefix }: ProxyConfig): string[] {
  return [prefix, `${prefix}-selftest`].filter((fleet) => LABEL_VALUE.test(fleet));
}

/** The parts of a list separated by commas. */
export function listed(text: string): string[] {
  return text.split(',').filter((part) => part !== '');
}
