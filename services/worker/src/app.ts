// Puts the worker together: engine, pool, runs, gRPC server, pullers, janitor; and takes it apart in the reverse order.
import { totalmem } from 'node:os';
import { ConfigError } from '@rungrid/kit/config';
import { newHexId } from '@rungrid/kit/ids';
import { startInternalHttp } from '@rungrid/kit/internal-http';
import { createKeys } from '@rungrid/kit/keys';
import type { Lifecycle } from '@rungrid/kit/lifecycle';
import type { Logger } from '@rungrid/kit/logger';
import { createRegistry } from '@rungrid/kit/metrics';
import { connectRedis, RunRegistry } from '@rungrid/kit/redis';
import { announceWorker, HEARTBEAT_MS, retractWorker } from '@rungrid/kit/workers';
import type { WorkerInfo } from '@rungrid/proto/stream-entries';
import { agentCommand, builtInLanguages, type Language } from '@rungrid/sandbox/languages';
import { languageImage } from '@rungrid/sandbox/images';
import type { WorkerConfig } from './config.js';
import { DockerEngine } from './docker/engine.js';
import { startGrpcServer } from './grpc/server.js';
import { createWorkerMetrics } from './metrics.js';
import { warmFloor } from './pool/floor.js';
import { defaultCeiling } from './pool/options.js';
import { Pool } from './pool/pool.js';
import { waitForReady } from './pool/ready.js';
import { Dispatcher } from './run/dispatcher.js';
import type { Engine, SandboxSpec } from './run/ports.js';
import { RunTable } from './run/table.js';
import { Puller } from './stream/puller.js';

/** How often orphans of dead workers and overdue sandboxes are looked for, ms. */
const JANITOR_MS = 10_000;
/** How often the pool's counts are copied to the metrics, ms. */
const GAUGES_MS = 1_000;

/** Starts a worker; what it starts is owned by `lifecycle`. Rejects with a message that says what to do. */
export async function startWorker(
  config: WorkerConfig,
  deps: { logger: Logger; lifecycle: Lifecycle },
): Promise<WorkerInfo> {
  const { logger, lifecycle } = deps;
  const id = newHexId();
  const keys = createKeys(config.RUNGRID_PREFIX);
  const registry = createRegistry('worker');
  const metrics = createWorkerMetrics(registry);

  const redis = connectRedis({ url: config.RUNGRID_REDIS_URL, logger, name: 'worker' });
  lifecycle.own('redis', () => redis.disconnect());
  await redis.ping().catch((error: unknown) => {
    throw new ConfigError(
      `Redis does not answer at RUNGRID_REDIS_URL: ${String(error)}. Start it, or set RUNGRID_REDIS_URL.`,
    );
  });

  const engine = new DockerEngine({ workerId: id, fleet: config.RUNGRID_PREFIX, host: config.DOCKER_HOST });
  lifecycle.own('engine', () => engine.close());
  await engine.ping().catch((error: unknown) => {
    throw new ConfigError(
      `The Docker engine does not answer at DOCKER_HOST: ${String(error)}. Start it, or set DOCKER_HOST.`,
    );
  });
  const languages = await usableLanguages(config, engine);
  const memoryBytes = totalmem();
  const ceiling = config.WORKER_MAX_SANDBOXES ?? defaultCeiling(memoryBytes);
  const floor = config.WORKER_POOL_FLOOR ?? warmFloor({ memoryBytes, ceiling, languages: languages.size });
  const pool = new Pool({
    engine,
    languages: [...languages.values()].map((language) => ({
      spec: sandboxSpec(config, language),
      floor,
    })),
    waitReady: waitForReady,
    tuning: { ceiling },
    observer: {
      failed: (language, error) => logger.warn({ err: error, language }, 'sandbox failed'),
      ready: (language, ms) => metrics.sandboxStartSeconds.observe({ language }, ms / 1000),
      destroyed: (language, ms) => metrics.sandboxDestroySeconds.observe({ language }, ms / 1000),
    },
  });

  const table = new RunTable();
  lifecycle.own('pool', () => pool.close());
  const runs = new RunRegistry(redis, keys);
  const grpc = await startGrpcServer({
    host: config.WORKER_GRPC_HOST,
    port: config.WORKER_GRPC_PORT,
    find: (run) => table.get(run),
  });
  lifecycle.own('grpc', () => grpc.close());
  lifecycle.own('runs', () => table.endAll());
  const address = config.WORKER_ADVERTISE ?? `${config.WORKER_GRPC_HOST}:${grpc.port}`;
  const dispatcher = new Dispatcher({
    languages,
    limits: {
      wallMs: config.WORKER_WALL_MS,
      cpuMs: config.WORKER_CPU_MS,
      idleMs: config.WORKER_IDLE_MS,
      outputBytes: config.WORKER_OUTPUT_BYTES,
      compileMs: config.WORKER_COMPILE_MS,
    },
    ringBytes: config.WORKER_RING_BYTES,
    unattachedMs: config.WORKER_UNATTACHED_MS,
    pool,
    table,
    claim: (request) => runs.claim({ ...request, workerId: id, address }),
    metrics,
    logger,
  });

  const internal = await startInternalHttp({
    host: config.WORKER_INTERNAL_HOST,
    port: config.WORKER_INTERNAL_PORT,
    registry,
    notReady: () => (redis.status === 'ready' ? [] : ['redis is not connected']),
  });
  lifecycle.own('internal http', () => internal.close());

  every(lifecycle, { name: 'gauges', ms: GAUGES_MS }, () => {
    const { languages: shelves, live, destroying } = pool.stats();
    for (const { language, warm, starting, waiting } of shelves) {
      metrics.warmSandboxes.set({ language }, warm);
      metrics.startingSandboxes.set({ language }, starting);
      metrics.waitingRuns.set({ language }, waiting);
    }
    metrics.liveSandboxes.set(live);
    metrics.destroyingSandboxes.set(destroying);
  });
  const isAlive = async (workerId: string) => (await redis.exists(keys.worker(workerId))) === 1;
  const sweep = async () => {
    metrics.swept.inc(await engine.sweep(isAlive));
  };
  const info: WorkerInfo = {
    id,
    grpc: address,
    metrics: internal.url,
    pid: process.pid,
    draining: false,
    languages: [...languages.values()].map((language) => ({
      name: language.name,
      title: language.title,
      version: language.version,
      aliases: [...language.aliases],
      file_name: language.fileName,
      hello: language.hello,
    })),
  };
  await announceWorker(redis, keys, info);
  lifecycle.own('announcement', () => retractWorker(redis, keys, id));
  const fault = (what: string) => (error: unknown) => logger.warn({ err: error }, what);
  every(
    lifecycle,
    { name: 'heartbeat', ms: HEARTBEAT_MS },
    () => void announceWorker(redis, keys, info).catch(fault('heartbeat failed')),
  );
  await sweep().catch(fault('sweep failed'));
  every(lifecycle, { name: 'janitor', ms: JANITOR_MS }, () => void sweep().catch(fault('sweep failed')));

  pool.start();
  for (const language of languages.keys()) {
    const puller = new Puller({
      language,
      workerId: id,
      redisUrl: config.RUNGRID_REDIS_URL,
      redis,
      keys,
      logger,
      whenCapacity: (signal) => pool.whenCapacity(language, signal),
      onRequest: (request, entryId) => dispatcher.take(request, entryId),
      onBadEntry: () => metrics.badEntries.inc(),
    });
    puller.start();
    lifecycle.own(`puller ${language}`, () => puller.stop());
  }
  return info;
}

/** The languages asked for, or all whose image is there. */
async function usableLanguages(config: WorkerConfig, engine: Engine): Promise<Map<string, Language>> {
  const asked = config.WORKER_LANGUAGES.split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  const known = new Map(builtInLanguages().map((language) => [language.name, language]));
  const unknown = asked.filter((name) => !known.has(name));
  if (unknown.length > 0)
    throw new ConfigError(`WORKER_LANGUAGES: unknown: ${unknown.join(', ')}. Known: ${[...known.keys()].join(', ')}.`);
  const usable = new Map<string, Language>();
  for (const [name, language] of known) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    if (await engine.hasImage(languageImage(language))) usable.set(name, language);
    else if (asked.length > 0)
      throw new ConfigError(
        `The image of ${name} is missing: ${languageImage(language)}. Build it with ./rungrid up --languages ${name}.`,
      );
  }
  if (usable.size === 0) throw new ConfigError('No language image is there. Build some with ./rungrid up.');
  return usable;
}

function sandboxSpec(config: WorkerConfig, language: Language): SandboxSpec {
  const { limits = {} } = language;
  return {
    language: language.name,
    mode: 'pipe',
    image: languageImage(language),
    command: agentCommand(language),
    env: Object.entries(language.env).map(([key, value]) => `${key}=${value}`),
    limits: {
      memoryBytes: limits.memoryBytes ?? config.WORKER_MEMORY_BYTES,
      cpus: limits.cpus ?? config.WORKER_CPUS,
      pids: limits.pids ?? config.WORKER_PIDS,
      tmpBytes: limits.tmpBytes ?? config.WORKER_TMP_BYTES,
      tmpInodes: config.WORKER_TMP_INODES,
    },
  };
}

function every(lifecycle: Lifecycle, { name, ms }: { name: string; ms: number }, work: () => void): void {
  const timer = setInterval(work, ms);
  lifecycle.own(name, () => clearInterval(timer));
}
