// Assembles the worker: engine, pool, runs, gRPC server, pullers, supervisor. They stop in the reverse order.
import { availableParallelism, totalmem } from 'node:os';
import { ArtifactRedis } from '@rungrid/bus/artifacts';
import { checkRedis, connectRedis, type Redis } from '@rungrid/bus/connection';
import { createKeys, type Keys } from '@rungrid/bus/keys';
import { RunClaims } from '@rungrid/bus/run-claims';
import { ConfigError } from '@rungrid/kit/config';
import { newHexId } from '@rungrid/kit/ids';
import { startInternalHttp } from '@rungrid/kit/internal-http';
import type { ServiceParts } from '@rungrid/kit/service';
import { createRegistry, type Registry } from '@rungrid/kit/metrics';
import { TokenBucket } from '@rungrid/kit/token-bucket';
import type { WorkerInfo } from '@rungrid/proto/stream-entries';
import { type Language, languageMode } from '@rungrid/sandbox/languages';
import { Compilations } from './compile/compilations.js';
import { artifactSource } from './compile/source.js';
import type { WorkerConfig } from './config.js';
import { Dispatcher } from './dispatch/dispatcher.js';
import type { Claims, GatewayStreams } from './dispatch/ports.js';
import type { DockerEngine } from './docker/engine.js';
import { sandboxKind, selfTestEngine, servingEngine } from './engine.js';
import { startGrpcServer } from './grpc/server.js';
import { EngineSupervisor } from './health/supervisor.js';
import { type LanguageSpecs, languageSpecs, specsToVerify } from './language-specs.js';
import {
  createWorkerMetrics,
  dispatchMetrics,
  engineMetrics,
  observePool,
  poolLabels,
  type WorkerMetrics,
} from './metrics.js';
import { minIdleByKind } from './pool/min-idle.js';
import { defaultMaxSize, type KeyPoolConfig } from './pool/options.js';
import { Pool } from './pool/pool.js';
import { waitForReady } from './pool/ready.js';
import { RunTable } from './run/table.js';
import { SelfTest } from './selftest/selftest.js';
import { redisArtifactStore } from './stream/artifacts.js';
import { Heartbeat } from './stream/heartbeat.js';
import { Puller } from './stream/puller.js';
import { every } from './timers.js';

/** How much longer than its limits the registry remembers who holds a run, ms: for its start and its compile step. */
const HELD_MARGIN_MS = 120_000;
/** How long announcing a drain may take, ms. */
const DRAIN_MARGIN_MS = 6_000;
/** How often the pool's counts are copied to the metrics, ms. */
const GAUGES_MS = 1_000;
/** Burst of the shared output budget: 10 ms of this process, which delay a keystroke of another run. */
const OUTPUT_BURST_BYTES = 262_144;

/** What every step of the start needs. */
interface Context extends ServiceParts {
  readonly config: WorkerConfig;
  readonly id: string;
  readonly keys: Keys;
  readonly redis: Redis;
  readonly registry: Registry;
  readonly metrics: WorkerMetrics;
}

/** Starts a worker; `lifecycle` owns what it starts. Rejects with a message that says what to do. */
export async function startWorker(config: WorkerConfig, deps: ServiceParts): Promise<WorkerInfo> {
  const context = await connect(config, deps);
  const { id, keys, redis, lifecycle, logger, metrics, onFatal } = context;

  let supervisor: EngineSupervisor | undefined;
  const engine = await openEngine(context, () => supervisor?.connectionLost());
  const specs = await languageSpecs(config, engine);
  // Before anything can reach this worker: one whose sandboxes break a promise does not join.
  const selfTest = await verifyEngine(context, { engine, specs });
  const pool = createPool(context, { engine, specs });
  const table = new RunTable({ maxDetached: Math.max(1, Math.floor(pool.stats().maxSize / 2)) });
  const { address, claims, streams } = await listen(context, table);
  const compilations = createCompilations(context, pool);
  const dispatcher = createDispatcher(context, { specs, pool, table, compilations, claims, streams });

  const heartbeat = new Heartbeat({ redis, keys, logger, workerId: id });
  const health = new EngineSupervisor({
    engine,
    pool,
    selfTest,
    isAlive: (workerId) => heartbeat.isAlive(workerId),
    metrics: engineMetrics(metrics),
    logger,
    onFatal,
  });
  supervisor = health;
  let draining = false;
  const metricsUrl = await serveHealth(context, () => [...health.notReady, ...(draining ? ['draining'] : [])]);
  startGauges(context, { pool, compilations });
  const languages = [...specs.values()].map(({ language }) => languageInfo(language));
  const info = (): WorkerInfo => ({ id, grpc: address, metrics: metricsUrl, pid: process.pid, draining, languages });
  await heartbeat.start(lifecycle, info);
  await health.start(lifecycle);

  // Closed right after the pullers: no new run arrives, and the live ones keep everything they need.
  const drain = async () => {
    draining = true;
    await heartbeat.beat(info());
    await table.drained(config.WORKER_DRAIN_MS);
  };
  lifecycle.own('live runs', drain, { timeoutMs: config.WORKER_DRAIN_MS + DRAIN_MARGIN_MS });
  pool.start();
  for (const language of specs.keys())
    startPuller(context, { language, pool, dispatcher, canServe: () => health.isUp });
  return info();
}

async function connect(config: WorkerConfig, deps: ServiceParts): Promise<Context> {
  const { logger, lifecycle } = deps;
  const registry = createRegistry('worker');
  const redis = connectRedis({ url: config.RUNGRID_REDIS_URL, logger, name: 'worker' });
  lifecycle.own('redis', () => redis.disconnect());
  await checkRedis(redis, config.RUNGRID_REDIS_URL);
  const keys = createKeys(config.RUNGRID_PREFIX);
  return { ...deps, config, id: newHexId(), keys, redis, registry, metrics: createWorkerMetrics(registry) };
}

async function openEngine({ config, id, lifecycle }: Context, onDisconnect: () => void): Promise<DockerEngine> {
  const engine = servingEngine(config, { workerId: id, onDisconnect });
  lifecycle.own('engine', () => engine.close());
  await engine.ping().catch((error: unknown) => {
    throw new ConfigError(
      `The Docker engine does not answer at DOCKER_HOST: ${String(error)}. Start it, or set DOCKER_HOST.`,
    );
  });
  await engine.requireRuntime();
  return engine;
}

type Specs = ReadonlyMap<string, LanguageSpecs>;

async function verifyEngine(
  { config, id, logger }: Context,
  { engine, specs }: { engine: DockerEngine; specs: Specs },
): Promise<SelfTest> {
  const selfTest = new SelfTest({
    identity: () => engine.identity(),
    makeEngine: () => selfTestEngine(config, id),
    specs: specsToVerify([...specs.values()]),
    kind: sandboxKind(config),
  });
  const startMs = performance.now();
  await selfTest.check();
  const ms = Math.round(performance.now() - startMs);
  logger.info({ languages: [...specs.keys()], runtime: config.SANDBOX_RUNTIME, ms }, 'self-test passed');
  return selfTest;
}

function createPool(
  { config, lifecycle, logger, metrics }: Context,
  { engine, specs }: { engine: DockerEngine; specs: Specs },
): Pool {
  const maxSize = config.WORKER_MAX_SANDBOXES ?? defaultMaxSize(totalmem());
  const pool = new Pool({
    engine,
    keyPools: keyPoolsOf(config, { languages: [...specs.values()], maxSize }),
    waitReady: waitForReady,
    tuning: { maxSize },
    observer: {
      failed: (spec, error) => logger.warn({ err: error, ...poolLabels(spec) }, 'sandbox failed'),
      ready: (spec, ms) => metrics.sandboxStartDuration.observe(poolLabels(spec), ms / 1000),
      destroyed: (spec, ms) => metrics.sandboxDestroyDuration.observe(poolLabels(spec), ms / 1000),
    },
  });
  lifecycle.own('pool', () => pool.close());
  return pool;
}

/** Every pool key with its minIdle. */
function keyPoolsOf(
  config: WorkerConfig,
  { languages, maxSize }: { languages: readonly LanguageSpecs[]; maxSize: number },
): KeyPoolConfig[] {
  const compiled = languages.filter(({ compile }) => compile !== undefined).length;
  const minIdle = minIdleByKind(
    { memoryBytes: totalmem(), maxSize, languages: languages.length, compiled },
    {
      pipe: config.WORKER_POOL_MIN_IDLE,
      tty: config.WORKER_POOL_MIN_IDLE_TTY,
      compile: config.WORKER_POOL_MIN_IDLE_COMPILE,
    },
  );
  return languages.flatMap(({ pipe, tty, compile }) => [
    { spec: pipe, minIdle: minIdle.pipe },
    { spec: tty, minIdle: minIdle.tty },
    ...(compile === undefined ? [] : [{ spec: compile, minIdle: minIdle.compile }]),
  ]);
}

/** Starts the gRPC server; gateways that have no stream to it are notified of their claims through Redis. */
async function listen(
  { config, id, keys, redis, lifecycle, logger }: Context,
  table: RunTable,
): Promise<{ address: string; claims: Claims; streams: GatewayStreams }> {
  const runs = new RunClaims(redis, keys);
  const notify: Claims['notify'] = (run, gatewayId) => {
    const claim = { runId: run.id, epoch: run.epoch, gatewayId, workerId: id, address };
    runs.notify(claim).catch((error: unknown) => logger.warn({ err: error, run: run.id }, 'claim notice failed'));
  };
  const grpc = await startGrpcServer({
    host: config.WORKER_GRPC_HOST,
    port: config.WORKER_GRPC_PORT,
    security: config.grpcSecurity,
    find: (run) => table.get(run),
    onUnacknowledged: notify,
  });
  lifecycle.own('grpc', () => grpc.close());
  lifecycle.own('runs', () => table.endAll());
  const address = config.WORKER_ADVERTISE ?? `${config.WORKER_GRPC_HOST}:${grpc.port}`;
  const heldTtlMs = HELD_MARGIN_MS + config.WORKER_WALL_MS + config.WORKER_RESUME_MS;
  const claim: Claims['claim'] = (request) => runs.claim({ ...request, workerId: id, address, heldTtlMs });
  return { address, claims: { claim, notify }, streams: grpc.streams };
}

function createCompilations({ config, keys, lifecycle, logger, metrics }: Context, pool: Pool): Compilations {
  // A connection of its own: claims must not wait behind megabytes.
  const redis = connectRedis({ url: config.RUNGRID_REDIS_URL, logger, name: 'worker-artifacts' });
  lifecycle.own('artifacts', () => redis.disconnect());
  const limits = { maxBytes: config.WORKER_COMPILE_STORE_BYTES, ttlMs: config.WORKER_COMPILE_STORE_TTL_MS };
  return new Compilations({
    pool,
    store: redisArtifactStore({
      artifacts: new ArtifactRedis(redis, keys, limits),
      logger,
      onCorrupt: () => metrics.corruptArtifacts.inc(),
    }),
    atOnce: config.WORKER_COMPILES ?? availableParallelism(),
    cacheBytes: config.WORKER_COMPILE_CACHE_BYTES,
    observer: {
      served: (language, source) => metrics.compiledPrograms.inc({ language, source }),
      compiled: (language, ms) => metrics.compileDuration.observe({ language }, ms / 1000),
      failed: (language, error) => logger.warn({ err: error, language }, 'compile sandbox start failed'),
    },
  });
}

function createDispatcher(
  { config, logger, metrics }: Context,
  parts: {
    specs: Specs;
    pool: Pool;
    table: RunTable;
    compilations: Compilations;
    claims: Claims;
    streams: GatewayStreams;
  },
): Dispatcher {
  const { specs, pool, table, compilations, claims, streams } = parts;
  return new Dispatcher({
    pool,
    table,
    claims,
    streams,
    logger,
    languages: new Map([...specs].map(([name, { language }]) => [name, language])),
    artifacts: artifactSource({ compilations, specs, wallMs: config.WORKER_COMPILE_MS }),
    limits: {
      wallMs: config.WORKER_WALL_MS,
      cpuMs: config.WORKER_CPU_MS,
      idleMs: config.WORKER_IDLE_MS,
      outputBytes: config.WORKER_OUTPUT_BYTES,
    },
    outputBudget: new TokenBucket(
      { perSecond: config.WORKER_FLOOD_BYTES_PER_SECOND, capacity: OUTPUT_BURST_BYTES },
      performance.now(),
    ),
    ringBytes: config.WORKER_RING_BYTES,
    unattachedMs: config.WORKER_UNATTACHED_MS,
    resumeMs: config.WORKER_RESUME_MS,
    metrics: dispatchMetrics(metrics),
  });
}

/** Starts the internal port, whose URL it returns. */
async function serveHealth(
  { config, redis, registry, lifecycle }: Context,
  notReady: () => readonly string[],
): Promise<string> {
  const internal = await startInternalHttp({
    host: config.WORKER_INTERNAL_HOST,
    port: config.WORKER_INTERNAL_PORT,
    registry,
    notReady: () => [...(redis.status === 'ready' ? [] : ['redis is not connected']), ...notReady()],
  });
  lifecycle.own('internal http', () => internal.close());
  return internal.url;
}

function startGauges(
  { lifecycle, metrics }: Context,
  { pool, compilations }: { pool: Pool; compilations: Compilations },
): void {
  every(lifecycle, { name: 'gauges', ms: GAUGES_MS }, () => {
    observePool(metrics, pool.stats());
    metrics.compileCacheBytes.set(compilations.cacheBytes);
  });
}

function languageInfo(language: Language): WorkerInfo['languages'][number] {
  return {
    name: language.name,
    title: language.title,
    version: language.version,
    aliases: [...language.aliases],
    file_name: language.fileName,
    mode: languageMode(language),
    hello: language.hello,
  };
}

function startPuller(
  { config, id, keys, redis, lifecycle, logger, metrics }: Context,
  parts: { language: string; pool: Pool; dispatcher: Dispatcher; canServe: () => boolean },
): void {
  const { language, pool, dispatcher: handler, canServe } = parts;
  const puller = new Puller({
    language,
    redis,
    keys,
    logger,
    handler,
    canServe,
    workerId: id,
    redisUrl: config.RUNGRID_REDIS_URL,
    whenCapacity: (signal) => pool.whenCapacity(language, signal),
    onBadEntry: () => metrics.badEntries.inc(),
  });
  puller.start();
  lifecycle.own(`puller ${language}`, () => puller.stop());
}
