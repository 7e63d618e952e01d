// The worker's configuration: every environment variable, its meaning, unit, default and range.
import { readConfig } from '@rungrid/kit/config';
import { GRPC_SECURITY_FIELDS, type GrpcSecurity, readGrpcSecurity, requireSecurity } from '@rungrid/kit/grpc-security';
import { REDIS_URL_PATTERN } from '@rungrid/bus/url';
import { type Static, Type } from 'typebox';

const port = (value: number) => Type.Integer({ default: value, minimum: 0, maximum: 65_535 });
const count = (value: number, maximum: number, minimum = 1) => Type.Integer({ default: value, minimum, maximum });

const WorkerConfigSchema = Type.Object({
  /**
   * Redis 7 or later of the queue, the gateways' one, in one of these forms (user and password percent-encoded; `rediss` is with TLS):
   * `redis[s]://[user:password@]host:port[/db]`, one server;
   * `unix://[user:password@]/path`, one on this machine;
   * `redis[s]+sentinel://[user:password@]host:port[,host:port…]/master-name[/db]`, the master that these sentinels name, looked up again after a failover;
   * `redis[s]+cluster://[user:password@]host:port[,host:port…]`, a cluster by some of its nodes; all keys of a RUNGRID_PREFIX are in one slot.
   * Users that may do what this service does, and no more: packages/bus/src/acl.ts.
   */
  RUNGRID_REDIS_URL: Type.String({ default: 'redis://127.0.0.1:6379', pattern: REDIS_URL_PATTERN }),
  /** Prefix of every Redis key and fleet of the sandboxes, so that installations can share a Redis or an engine. */
  RUNGRID_PREFIX: Type.String({ default: 'rungrid', pattern: '^[a-z0-9-]{1,32}$' }),
  RUNGRID_LOG_LEVEL: Type.Union(
    ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'].map((level) => Type.Literal(level)),
    { default: 'info' },
  ),
  /**
   * Who may run programs here: RUNGRID_GRPC_SECRET, RUNGRID_GRPC_CA, RUNGRID_GRPC_CERT, RUNGRID_GRPC_KEY. With both, both are required;
   * with neither, the worker starts on a loopback address only.
   */
  ...GRPC_SECURITY_FIELDS,
  /** Address the gRPC server listens on. Internal: gateways only. */
  WORKER_GRPC_HOST: Type.String({ default: '127.0.0.1' }),
  /** 0 takes a free port. */
  WORKER_GRPC_PORT: port(0),
  /** host:port that gateways dial; default: where the server listens. */
  WORKER_ADVERTISE: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9.:\\[\\]-]{3,255}$' })),
  /** Metrics and health, internal. */
  WORKER_INTERNAL_HOST: Type.String({ default: '127.0.0.1' }),
  WORKER_INTERNAL_PORT: port(0),
  /** Comma list of languages to serve; default: all whose image exists. */
  WORKER_LANGUAGES: Type.String({ default: '' }),
  /** The Docker engine: unix:///path or tcp://host:port. */
  DOCKER_HOST: Type.String({ default: 'unix:///var/run/docker.sock', pattern: '^(unix|tcp)://' }),
  /**
   * What runs the sandboxes, by the name under which the engine knows it. `runsc` (gVisor): a kernel of its own in user space, so that
   * a hole in the host's kernel is no way out; starts are slower, each sandbox takes 64 MiB more, and a program can forge the output and
   * end of its own run (services/sandbox/src/runtimes.ts lists the differences). `kata`: a virtual machine each;
   * untested, the self-test decides. The engine must know the name (daemon.json, runtimes); `./rungrid up` sets up runsc itself.
   */
  SANDBOX_RUNTIME: Type.Union([Type.Literal('runc'), Type.Literal('runsc'), Type.Literal('kata')], { default: 'runc' }),
  /**
   * System call filter of the sandboxes: `default`, the list in services/sandbox/seccomp; or `engine`, the engine's own, which allows more
   * (every socket family, 32-bit calls). It cannot be switched off.
   */
  WORKER_SECCOMP: Type.Union([Type.Literal('default'), Type.Literal('engine')], { default: 'default' }),
  /**
   * Parent control group of all sandboxes, so that one limit bounds them together: `/rungrid` with the cgroupfs driver, or
   * `rungrid.slice` with systemd (MemoryMax=, TasksMax=, CPUWeight= there). Default: the engine's own, without such a limit.
   */
  WORKER_CGROUP_PARENT: Type.Optional(
    Type.String({ pattern: '^(/[A-Za-z0-9_.-]{1,64}|[A-Za-z0-9_-]{1,64}\\.slice)$' }),
  ),
  /** Warm sandboxes kept for each language, 0 to 256. Default: as many as the machine's memory allows beside those below, 1 to 16. */
  WORKER_POOL_MIN_IDLE: Type.Optional(Type.Integer({ minimum: 0, maximum: 256 })),
  /**
   * Warm sandboxes with a terminal kept for each language, 0 to 256. Default: one; none when WORKER_POOL_MIN_IDLE is 0, or when the machine
   * has no room for two on pipes beside it.
   */
  WORKER_POOL_MIN_IDLE_TTY: Type.Optional(Type.Integer({ minimum: 0, maximum: 256 })),
  /** Ready compile sandboxes kept for each compiled language, 0 to 256. Default: one; none in the same cases. */
  WORKER_POOL_MIN_IDLE_COMPILE: Type.Optional(Type.Integer({ minimum: 0, maximum: 256 })),
  /** Most sandboxes, in all states together. Default: as many as fit half of the memory at 128 MB each, 4 to 128. */
  WORKER_MAX_SANDBOXES: Type.Optional(Type.Integer({ minimum: 1, maximum: 2048 })),
  /** Execution sandbox: memory and swap together, bytes (6 MiB is the engine's least). */
  WORKER_MEMORY_BYTES: count(134_217_728, 68_719_476_736, 6_291_456),
  /** Execution sandbox: CPUs. */
  WORKER_CPUS: Type.Number({ default: 0.2, minimum: 0.01, maximum: 64 }),
  /** Execution sandbox: processes and threads. */
  WORKER_PIDS: count(64, 32_768, 8),
  /** Execution sandbox: size of /tmp, bytes. */
  WORKER_TMP_BYTES: count(10_485_760, 4_294_967_296, 65_536),
  /** Execution sandbox: files in /tmp. */
  WORKER_TMP_INODES: count(1024, 1_000_000, 16),
  /** Wall clock of a run, ms. */
  WORKER_WALL_MS: count(300_000, 86_400_000),
  /** CPU time of a run, ms. */
  WORKER_CPU_MS: count(3_000, 86_400_000),
  /** Without output and input, ms. */
  WORKER_IDLE_MS: count(120_000, 86_400_000),
  /** stdout and stderr together, bytes. */
  WORKER_OUTPUT_BYTES: count(1_048_576, 1_073_741_824),
  /**
   * Output budget that all runs of this worker share, bytes a second, for what each writes beyond its own 64 KB a second. Past it runs are
   * read in turn and block in write(2). A burst of 256 KiB passes after a quiet time.
   */
  WORKER_FLOOD_BYTES_PER_SECOND: count(4_194_304, 1_073_741_824, 65_536),
  /** Compile sandbox: memory, swap and /tmp together, bytes. */
  WORKER_COMPILE_MEMORY_BYTES: count(536_870_912, 68_719_476_736, 6_291_456),
  /** Compile sandbox: CPUs. */
  WORKER_COMPILE_CPUS: Type.Number({ default: 1, minimum: 0.01, maximum: 64 }),
  /** Compile sandbox: processes and threads. */
  WORKER_COMPILE_PIDS: count(64, 32_768, 8),
  /** Compile sandbox: size of /tmp, bytes. */
  WORKER_COMPILE_TMP_BYTES: count(134_217_728, 4_294_967_296, 65_536),
  /**
   * Wall clock of the compile step, ms. Past it: compile_error, with a text that says so. A gateway's GATEWAY_START_MS must allow for it
   * and for up to 50 s of waiting.
   */
  WORKER_COMPILE_MS: count(10_000, 600_000),
  /** Concurrent compile steps. Default: one per core. 64 more may wait; past that: error overloaded. */
  WORKER_COMPILES: Type.Optional(Type.Integer({ minimum: 1, maximum: 256 })),
  /** Compiled programs kept in this process, bytes; 0: none. */
  WORKER_COMPILE_CACHE_BYTES: count(67_108_864, 8_589_934_592, 0),
  /** Compiled programs kept in Redis for all workers, bytes; 0: none. Give all workers the same value. */
  WORKER_COMPILE_STORE_BYTES: count(268_435_456, 68_719_476_736, 0),
  /** How long an unused compiled program is kept in Redis, ms. */
  WORKER_COMPILE_STORE_TTL_MS: count(86_400_000, 2_592_000_000, 1_000),
  /** Events of a run that are kept for a gateway that attaches late and for a client that resumes, bytes. */
  WORKER_RING_BYTES: count(262_144, 67_108_864, 16_384),
  /** How long a claimed run continues without a gateway attached, ms. */
  WORKER_UNATTACHED_MS: count(10_000, 600_000),
  /** The resume window: how long a run continues after its client disconnected, and how long its end is kept, if it asked for that, ms. */
  WORKER_RESUME_MS: count(30_000, 600_000),
  /**
   * How long live runs may continue after SIGTERM, ms, while the worker takes no more. After it, started runs end as worker_lost and the
   * others are returned to the queue. Allow twenty seconds more than this before SIGKILL.
   */
  WORKER_DRAIN_MS: count(300_000, 86_400_000, 0),
});

export interface WorkerConfig extends Readonly<Static<typeof WorkerConfigSchema>> {
  readonly grpcSecurity: GrpcSecurity;
}

/** Throws ConfigError, which names what is wrong. */
export function readWorkerConfig(env?: NodeJS.ProcessEnv): WorkerConfig {
  const values = readConfig(WorkerConfigSchema, env);
  const grpcSecurity = readGrpcSecurity(values);
  requireSecurity(values.WORKER_GRPC_HOST, grpcSecurity);
  return Object.freeze({ ...values, grpcSecurity });
}
