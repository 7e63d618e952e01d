// The gateway's configuration: environment variables, their meaning, unit, default and range.
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ConfigError, DEFAULT_PREFIX, readConfig } from '@rungrid/kit/config';
import { GRPC_SECURITY_FIELDS, type GrpcSecurity, readGrpcSecurity } from '@rungrid/kit/grpc-security';
import { REDIS_URL_PATTERN } from '@rungrid/bus/url';
import { Type } from 'typebox';

const port = (value: number) => Type.Integer({ minimum: 0, maximum: 65_535, default: value });
const count = (value: number, maximum = 1_000_000) => Type.Integer({ minimum: 1, maximum, default: value });
const share = (value: number) => Type.Number({ minimum: 0.01, maximum: 1, default: value });
const ms = (value: number, maximum = 86_400_000) => Type.Integer({ minimum: 1, maximum, default: value });

export const GatewayConfigSchema = Type.Object({
  /**
   * Redis 7 or later of the queue and the registry, in one of these forms (user and password percent-encoded; `rediss` is with TLS):
   * `redis[s]://[user:password@]host:port[/db]`, one server;
   * `unix://[user:password@]/path`, one on this machine;
   * `redis[s]+sentinel://[user:password@]host:port[,host:port…]/master-name[/db]`, the master that these sentinels name, anew after a failover;
   * `redis[s]+cluster://[user:password@]host:port[,host:port…]`, a cluster by some of its nodes; all keys of a RUNGRID_PREFIX are in one slot.
   * Users that may do what this service does, and no more: kit's redis-acl.ts.
   */
  RUNGRID_REDIS_URL: Type.String({ default: 'redis://127.0.0.1:6379', pattern: REDIS_URL_PATTERN }),
  /** First part of every key, so that several installations share one Redis. */
  RUNGRID_PREFIX: Type.String({ default: DEFAULT_PREFIX, pattern: '^[a-z0-9-]{1,32}$' }),
  RUNGRID_LOG_LEVEL: Type.Union(
    (['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const).map((level) => Type.Literal(level)),
    { default: 'info' },
  ),
  /**
   * How it shows itself to workers, and knows them: RUNGRID_GRPC_SECRET, RUNGRID_GRPC_CA, RUNGRID_GRPC_CERT, RUNGRID_GRPC_KEY. The same
   * kind as the workers have.
   */
  ...GRPC_SECURITY_FIELDS,
  /** With mutual TLS: the name in every worker's certificate. Default: the host that a worker announces. */
  RUNGRID_GRPC_SERVER_NAME: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9.:-]{1,253}$' })),
  /** Address that visitors reach. */
  GATEWAY_HOST: Type.String({ default: '127.0.0.1' }),
  /** 0 takes a free one. */
  GATEWAY_PORT: port(8080),
  /** Address of /metrics and the like, for operators only. */
  GATEWAY_INTERNAL_HOST: Type.String({ default: '127.0.0.1' }),
  /** 0 takes a free one. */
  GATEWAY_INTERNAL_PORT: port(9080),
  /** `id:secret,id2:secret2`. The first signs, all verify. A secret has at least 16 characters and no comma. */
  GATEWAY_TOKEN_KEYS: Type.String({ minLength: 1 }),
  /** Exact origins that may open sockets and mint tokens, comma between. Default: localhost and 127.0.0.1 at the own port. */
  GATEWAY_ALLOWED_ORIGINS: Type.String({ default: '' }),
  /** How many proxies stand in front, each of which appends the address it saw to X-Forwarded-For. 0: the header is not believed. */
  GATEWAY_TRUSTED_PROXIES: Type.Integer({ minimum: 0, maximum: 8, default: 0 }),
  /** Folder with the page at `/`. Default: services/playground/public of the repository. */
  GATEWAY_PUBLIC_DIR: Type.String({ default: '' }),

  /** Frames a second of one socket, in the long run and at once; control frames count. Past it: close 4429. */
  GATEWAY_FRAMES_PER_SECOND: count(300),
  /** Live sockets in all. Past it: the upgrade is answered with HTTP 503. */
  GATEWAY_MAX_SOCKETS: count(20_000),
  /** Live sockets of one address. Past it: close 4429. */
  GATEWAY_SOCKETS_PER_ADDRESS: count(200),
  /** Live runs of one socket. Past it: error too_many_runs. */
  GATEWAY_RUNS_PER_SOCKET: count(8, 256),
  /** Runs of one address (IPv6: one /64) in the window, over all gateways. Past it: error rate_limited. */
  GATEWAY_RUNS_PER_ADDRESS: count(300),
  GATEWAY_RUNS_WINDOW_MS: ms(60_000),
  /** Tokens that one address may mint in a minute. Past it: HTTP 429. */
  GATEWAY_TOKENS_PER_ADDRESS: count(600),
  /** HTTP requests of one address in a minute. Past it: HTTP 429. */
  GATEWAY_HTTP_PER_ADDRESS: count(3000),
  /** Runs waiting for a worker, per language. Past it: error overloaded. */
  GATEWAY_MAX_QUEUE: count(1000),
  /** How long a run may have to wait for a worker, as the pace of the last seconds has it. Past it: error overloaded, at once. */
  GATEWAY_MAX_WAIT_MS: ms(5_000, 600_000),
  /** While runs wait: what those of one address may take of the room, 0.01 to 1, but four in any case. Past it: error overloaded. */
  GATEWAY_ADDRESS_SHARE: share(0.25),
  /** The same for those of one site (the page's origin), so that one page cannot starve the others. */
  GATEWAY_SITE_SHARE: share(0.8),
  /** How long a run may wait for a worker. Past it: error queue_timeout. */
  GATEWAY_QUEUE_TTL_MS: ms(30_000, 600_000),
  /** How long a claimed run may take to start, compiler included. Past it: error start_failed. */
  GATEWAY_START_MS: ms(60_000, 600_000),
  /** Bytes that one socket may have unsent. Past it: close 4008. */
  GATEWAY_OUTBOX_BYTES: Type.Integer({ minimum: 262_144, maximum: 67_108_864, default: 1_048_576 }),
  /** How long a socket may take to read what waits for it, its runs being paused meanwhile. Past it: close 4008. */
  GATEWAY_SLOW_CLIENT_MS: ms(60_000),
  /** How long a fresh socket may stay without any frame. Past it: close 4408. */
  GATEWAY_FIRST_FRAME_MS: ms(60_000),
  /** How long a socket without live runs may stay without any frame. Past it: close 4409. */
  GATEWAY_IDLE_MS: ms(1_800_000),
  /**
   * How long live runs may go on after SIGTERM before all sockets are closed with 1012. A client can resume its run on another
   * gateway; the supervisor that stops the process must wait ten seconds more than this.
   */
  GATEWAY_DRAIN_MS: Type.Integer({ minimum: 0, maximum: 600_000, default: 10_000 }),

  /** The workers' limits: hello announces them, and the last deadline of a run is counted from the wall clock. Give both the same values. */
  WORKER_WALL_MS: ms(300_000),
  WORKER_CPU_MS: ms(3000),
  WORKER_IDLE_MS: ms(120_000),
  WORKER_OUTPUT_BYTES: count(1_048_576, 1_073_741_824),
  WORKER_MEMORY_BYTES: count(134_217_728, 1_099_511_627_776),
  WORKER_RESUME_MS: ms(30_000, 600_000),
});

export type GatewayEnv = ReturnType<typeof readConfig<typeof GatewayConfigSchema.properties>>;

export interface GatewayConfig extends GatewayEnv {
  /** Key id -> secret; the first one signs. */
  readonly tokenKeys: ReadonlyMap<string, string>;
  /** undefined: the default, which depends on the port. */
  readonly allowedOrigins: readonly string[] | undefined;
  readonly publicDir: string;
  readonly grpcSecurity: GrpcSecurity;
}

/** Reads it. Throws ConfigError, each line of which names a variable. */
export function readGatewayConfig(env: NodeJS.ProcessEnv = process.env): GatewayConfig {
  const values = readConfig(GatewayConfigSchema, env);
  return Object.freeze({
    ...values,
    tokenKeys: parseKeys(values.GATEWAY_TOKEN_KEYS),
    allowedOrigins: values.GATEWAY_ALLOWED_ORIGINS === '' ? undefined : parseOrigins(values.GATEWAY_ALLOWED_ORIGINS),
    publicDir: publicDir(values.GATEWAY_PUBLIC_DIR),
    grpcSecurity: readGrpcSecurity(values),
  });
}

function parseKeys(text: string): Map<string, string> {
  const keys = new Map<string, string>();
  for (const [index, part] of text.split(',').entries()) {
    const [, id, secret] = /^([A-Za-z0-9-]{1,32}):(.{16,})$/.exec(part.trim()) ?? [];
    // The message names the place and never the value, which is a secret.
    if (id === undefined || secret === undefined || keys.has(id)) {
      throw new ConfigError(
        `GATEWAY_TOKEN_KEYS: entry ${index + 1} is not id:secret with an id of its own (A-Z a-z 0-9 -) and a secret of 16 or more characters`,
      );
    }
    keys.set(id, secret);
  }
  return keys;
}

function parseOrigins(text: string): string[] {
  return text.split(',').map((part) => {
    const origin = part.trim();
    if (!URL.canParse(origin) || new URL(origin).origin !== origin) {
      throw new ConfigError(
        `GATEWAY_ALLOWED_ORIGINS: ${JSON.stringify(origin)} is not an origin such as https://example.org`,
      );
    }
    return origin;
  });
}

function publicDir(given: string): string {
  if (given === '') return fileURLToPath(new URL('../../playground/public', import.meta.url));
  if (!existsSync(given)) throw new ConfigError(`GATEWAY_PUBLIC_DIR: ${given} does not exist`);
  return given;
}
