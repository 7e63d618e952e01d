// Starts what a behavior test of the gateway needs: a private Redis, a scripted worker, and the real gateway process.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createKeys, type Keys } from '@rungrid/bus/keys';
import { createLogger } from '@rungrid/kit/logger';
import { connectRedis, type Redis } from '@rungrid/bus/connection';
import { signToken, type TokenClaims } from '@rungrid/proto/token';
import { until } from '@rungrid/testkit/until';
import { RawClient } from './raw-client.js';
import { GRPC_SECRET, type Script, ScriptedWorker } from './scripted-worker.js';

const KEY_ID = 'test';
export const KEY = 'a secret of the tests';
const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

export interface GatewayProcess {
  readonly url: string;
  readonly internal: string;
  readonly pid: number;
  /** Everything that it has written. */
  readonly output: () => string;
  /** Ends it with SIGTERM and gives its exit code. */
  stop(): Promise<number | null>;
}

export interface Harness {
  readonly redisUrl: string;
  readonly redis: Redis;
  readonly keys: Keys;
  readonly worker: ScriptedWorker;
  readonly gateway: GatewayProcess;
  /** A socket that has got hello; without an origin unless given. */
  client(origin?: string): Promise<RawClient>;
  /** Ends all of those sockets, and waits until no run lives. */
  settle(): Promise<void>;
  token(options?: { origin?: string; claims?: TokenClaims; nowMs?: number; key?: string }): string;
  startGateway(env?: Record<string, string>): Promise<GatewayProcess>;
  /** A number out of /metrics: the sum over all lines that start with `prefix`. */
  metric(prefix: string): Promise<number>;
  stop(): Promise<void>;
}

/** Starts all of it, on the Redis of RUNGRID_REDIS_URL in `env` if there is one; when a part does not start, what has started is ended again. */
export async function startHarness(script: Script, env: Record<string, string> = {}): Promise<Harness> {
  const closers: (() => Promise<unknown>)[] = [];
  try {
    return await start({ script, env, closers });
  } catch (error) {
    await closeAll(closers);
    throw error;
  }
}

async function closeAll(closers: (() => Promise<unknown>)[]): Promise<void> {
  for (const close of closers.splice(0).toReversed()) await close();
}

async function start(given: {
  script: Script;
  env: Record<string, string>;
  closers: (() => Promise<unknown>)[];
}): Promise<Harness> {
  const { script, env, closers } = given;
  const redisUrl = env['RUNGRID_REDIS_URL'] ?? startPrivateRedis(closers);
  const logger = createLogger({ service: 'harness', level: 'silent' });
  const keys = createKeys('test');
  const redis = connectRedis({ url: redisUrl, logger, name: 'harness' });
  closers.push(async () => redis.disconnect());
  await until(
    () =>
      redis.ping().then(
        () => true,
        () => false,
      ),
    { what: 'redis' },
  );
  const worker = await ScriptedWorker.start({ url: redisUrl, keys, logger, script });
  closers.push(() => worker.stop());
  const startGateway = async (more: Record<string, string> = {}) => {
    const gateway = await spawnGateway({ RUNGRID_REDIS_URL: redisUrl, ...env, ...more });
    closers.push(() => gateway.stop());
    return gateway;
  };
  const gateway = await startGateway();
  const clients = new Set<RawClient>();
  return {
    redisUrl,
    redis,
    keys,
    worker,
    gateway,
    startGateway,
    client: async (origin) => {
      const client = await RawClient.open(gateway.url, origin === undefined ? {} : { Origin: origin });
      clients.add(client);
      await client.next('hello');
      return client;
    },
    settle: async () => {
      worker.resume();
      for (const client of clients) client.vanish();
      clients.clear();
      await until(async () => (await readMetric(gateway.internal, 'rungrid_gateway_live_runs')) === 0, {
        what: 'no live run',
      });
    },
    token: (options = {}) => {
      const { origin = '', key = KEY, claims, nowMs } = options;
      const optional = { ...(claims === undefined ? {} : { claims }), ...(nowMs === undefined ? {} : { nowMs }) };
      return signToken({ keyId: KEY_ID, key, origin, ...optional });
    },
    metric: (prefix) => readMetric(gateway.internal, prefix),
    stop: () => closeAll(closers),
  };
}

/** Gives its URL; it may take a moment to answer. */
function startPrivateRedis(closers: (() => Promise<unknown>)[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'rungrid-gateway-'));
  const socket = join(folder, 'redis.sock');
  const server = spawn('redis-server', ['--port', '0', '--unixsocket', socket, '--save', '', '--dir', folder], {
    stdio: 'ignore',
  });
  closers.push(async () => {
    await endProcess(server);
    rmSync(folder, { recursive: true, force: true });
  });
  return `unix://${socket}`;
}

async function spawnGateway(env: Record<string, string>): Promise<GatewayProcess> {
  const child = spawn(process.execPath, [MAIN], {
    env: {
      PATH: process.env['PATH'],
      RUNGRID_PREFIX: 'test',
      GATEWAY_PORT: '0',
      GATEWAY_INTERNAL_PORT: '0',
      GATEWAY_TOKEN_KEYS: `${KEY_ID}:${KEY}`,
      RUNGRID_GRPC_SECRET: GRPC_SECRET,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const line = await until(
    () => {
      if (child.exitCode !== null) throw new Error(`the gateway ended: ${output}`);
      return output.split('\n').find((text) => text.includes('"msg":"ready"'));
    },
    { what: 'the ready line' },
  ).catch(async (error: unknown) => {
    await endProcess(child);
    throw error;
  });
  const { url, internal } = JSON.parse(line) as { url: string; internal: string };
  return { url, internal, pid: child.pid ?? 0, output: () => output, stop: () => endProcess(child) };
}

async function endProcess(child: ChildProcess): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    await new Promise((resolve) => child.once('exit', resolve));
  }
  return child.exitCode;
}

async function readMetric(internal: string, prefix: string): Promise<number> {
  const text = await (await fetch(`${internal}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(prefix))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}
