// Puts the worker together: engine, pool, runs, gRPC server, pullers, janitor; and takes it apart in the reverse order.
import { availableParallelism, totalmem } from 'node:os';
import { ConfigError } from '@rungrid/kit/config';
import { newHexId } from '@rungrid/kit/ids';
import { startInternalHttp } from '@rungrid/kit/internal-http';
import { createKeys, type Keys } from '@rungrid/bus/keys';
import type { Lifecycle } from '@rungrid/kit/lifecycle';
import type { Logger } from '@rungrid/kit/logger';
import { createRegistry } from '@rungrid/kit/metrics';
import { RunRegistry } from '@rungrid/bus/run-registry';
import { ArtifactRedis } from '@rungrid/bus/artifacts';
import { checkRedis, connectRedis } from '@rungrid/bus/connection';
import { TokenBucket } from '@rungrid/kit/token-bucket';
import { HEARTBEAT_MS, retractWorker } from '@rungrid/bus/workers';
import type { WorkerInfo } from '@rungrid/proto/stream-entries';
import { languageMode } from '@rungrid/sandbox/languages';
import { Compilations } from './compile/compilations.js';
import { artifactSource, type CompiledLanguage } from './compile/source.js';
import type { WorkerConfig } from './config.js';
import { selfTestEngine, servingEngine, sandboxKind } from './engine.js';
import { engineWatch, startCare } from './engine-care.js';
import { startGrpcServer } from './grpc/server.js';
import { createWorkerMetrics, shelfLabels, type WorkerMetrics } from './metrics.js';
import { shelfFloors } from './pool/floor.js';
import { defaultCeiling, type PoolShelf } from './pool/options.js';
import { Pool } from './pool/pool.js';
import { waitForReady } from './pool/ready.js';
import { Dispatcher } from './run/dispatcher.js';
import type { Run } from './run/run.js';
import { RunTable } from './run/table.js';
import { SelfTest } from './selftest/selftest.js';
import { provedSpecs, type Served, servedLanguages } from './served.js';
import { redisArtifactStore } from './stream/artifacts.js';
import { Heartbeat } from './stream/heartbeat.js';
import { Puller } from './stream/puller.js';
import { every } from './timers.js';

/** How much longer than it may last it is remembered who holds a run, ms: its start, and its compile step. */
const HELD_MARGIN_MS = 120_000;
/** How long announcing a drain may take, ms. */
const DRAIN_MARGIN_MS = 6_000;
/** How often the pool's counts are copied to the metrics, ms. */
const GAUGES_MS = 1_000;
/** Of all floods together, at once after a quiet time: 10 ms of this process, which a keystroke of somebody else waits for. */
const FLOOD_BURST_BYTES = 262_144;

/**
 * Starts a worker; what it starts is owned by `lifecycle`. Rejects with a message that says what to do. `onFatal` is called when it
 * must not go on later: its sandboxes no longer are what they must be.
 */
export async function startWorker(
  config: WorkerConfig,
  deps: { logger: Logger; lifecycle: Lifecycle; onFatal: (error: Error) => void },
): Promise<WorkerInfo> {
  const { logger, lifecycle } = deps;
  const id = newHexId();
  const keys = createKeys(config.RUNGRID_PREFIX);
  const registry = createRegistry('worker');
  const metrics = createWorkerMetrics(registry);

  const redis = connectRedis({ url: config.RUNGRID_REDIS_URL, logger, name: 'worker' });
  lifecycle.own('redis', () => redis.disconnect());
  await checkRedis(redis, config.RUNGRID_REDIS_URL);

  const engine = servingEngine(config, { workerId: id, onDisconnect: () => watch.lost() });
  lifecycle.own('engine', () => engine.close());
  await engine.ping().catch((error: unknown) => {
    throw new ConfigError(
      `The Docker engine does not answer at DOCKER_HOST: ${String(error)}. Start it, or set DOCKER_HOST.`,
    );
  });
  await engine.requireRuntime();
  const served = await servedLanguages(config, engine);
  const languages = new Map([...served].map(([name, { language }]) => [name, language]));
  const selfTest = new SelfTest({
    identity: () => engine.identity(),
    makeEngine: () => selfTestEngine(config, id),
    specs: provedSpecs([...served.values()]),
    kind: sandboxKind(config),
  });
  // Before anything can reach this worker: one that cannot hold a program does not join.
  const selfTestMs = await timed(() => selfTest.check());
  logger.info(
    { languages: [...languages.keys()], runtime: config.SANDBOX_RUNTIME, ms: selfTestMs },
    'self-test passed',
  );
  const ceiling = config.WORKER_MAX_SANDBOXES ?? defaultCeiling(totalmem());
  const pool = new Pool({
    engine,
    shelves: shelvesOf(config, { served: [...served.values()], ceiling }),
    waitReady: waitForReady,
    tuning: { ceiling },
    observer: {
      failed: (spec, error) => logger.warn({ err: error, ...shelfLabels(spec) }, 'sandbox failed'),
      ready: (spec, ms) => metrics.sandboxStartSeconds.observe(shelfLabels(spec), ms / 1000),
      destroyed: (spec, ms) => metrics.sandboxDestroySeconds.observe(shelfLabels(spec), ms / 1000),
    },
  });

  const heartbeat = new Heartbeat({ redis, keys, workerId: id });
  const isAlive = (workerId: string) => heartbeat.isAlive(workerId);
  const care = { engine, pool, selfTest, isAlive, lifecycle, metrics, logger, onFatal: deps.onFatal };
  const watch = engineWatch(care);

  let draining = false;
  // The rest of the sandboxes is for visitors who are there.
  const table = new RunTable({ maxAlone: Math.max(1, Math.floor(ceiling / 2)) });
  lifecycle.own('pool', () => pool.close());
  const runs = new RunRegistry(redis, keys);
  const notify = (run: Run, gatewayId: string) => {
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
  const compilations = startCompilations(config, { pool, metrics, lifecycle, logger, keys });
  const dispatcher = new Dispatcher({
    languages,
    artifacts: artifactSource({ compilations, languages: compiledOf(served), wallMs: config.WORKER_COMPILE_MS }),
    limits: {
      wallMs: config.WORKER_WALL_MS,
      cpuMs: config.WORKER_CPU_MS,
      idleMs: config.WORKER_IDLE_MS,
      outputBytes: config.WORKER_OUTPUT_BYTES,
    },
    pace: new TokenBucket(
      { perSecond: config.WORKER_FLOOD_BYTES_PER_SECOND, capacity: FLOOD_BURST_BYTES },
      performance.now(),
    ),
    ringBytes: config.WORKER_RING_BYTES,
    unattachedMs: config.WORKER_UNATTACHED_MS,
    resumeMs: config.WORKER_RESUME_MS,
    pool,
    table,
    streams: grpc.streams,
    claim: ({ tell, ...request }) => runs.claim({ ...request, notify: tell, workerId: id, address, heldTtlMs }),
    tell: notify,
    metrics,
    logger,
  });

  const internal = await startInternalHttp({
    host: config.WORKER_INTERNAL_HOST,
    port: config.WORKER_INTERNAL_PORT,
    registry,
    notReady: () => [
      ...(redis.status === 'ready' ? [] : ['redis is not connected']),
      ...watch.notReady,
      ...(draining ? ['draining'] : []),
    ],
  });
  lifecycle.own('internal http', () => internal.close());

  every(lifecycle, { name: 'gauges', ms: GAUGES_MS }, () => {
    const { shelves, live, destroying } = pool.stats();
    for (const { spec, warm, starting, waiting } of shelves) {
      const labels = shelfLabels(spec);
      metrics.warmSandboxes.set(labels, warm);
      metrics.startingSandboxes.set(labels, starting);
      metrics.waitingRuns.set(labels, waiting);
    }
    metrics.compileCacheBytes.set(compilations.cacheBytes);
    metrics.liveSandboxes.set(live);
    metrics.destroyingSandboxes.set(destroying);
  });
  const info = (): WorkerInfo => ({
    id,
    grpc: address,
    metrics: internal.url,
    pid: process.pid,
    draining,
    languages: [...languages.values()].map((language) => ({
      name: language.name,
      title: language.title,
      version: language.version,
      aliases: [...language.aliases],
      file_name: language.fileName,
      mode: languageMode(language),
      hello: language.hello,
    })),
  });
  await heartbeat.announce(info());
  lifecycle.own('announcement', () => retractWorker(redis, keys, id));
  const fault = (what: string) => (error: unknown) => logger.warn({ err: error }, what);
  every(
    lifecycle,
    { name: 'heartbeat', ms: HEARTBEAT_MS },
    () => void heartbeat.announce(info()).catch(fault('heartbeat failed')),
  );
  await startCare(watch, care);

  const drain = async () => {
    draining = true;
    await heartbeat.announce(info()).catch(fault('draining not told'));
    await table.drained(config.WORKER_DRAIN_MS);
  };
  // Closed right after the pullers: nothing new comes, and what is here goes on with all that it needs.
  lifecycle.own('live runs', drain, { timeoutMs: config.WORKER_DRAIN_MS + DRAIN_MARGIN_MS });
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
      canServe: () => watch.isUp,
      onRequest: (request, from) => dispatcher.take(request, from),
      onBadEntry: () => metrics.badEntries.inc(),
    });
    puller.start();
    lifecycle.own(`puller ${language}`, () => puller.stop());
  }
  return info();
}

/** Every shelf with how many it keeps warm. */
function shelvesOf(config: WorkerConfig, given: { served: readonly Served[]; ceiling: number }): PoolShelf[] {
  const { served, ceiling } = given;
  const compiled = served.filter(({ compile }) => compile !== undefined).length;
  const floors = shelfFloors(
    { memoryBytes: totalmem(), ceiling, languages: served.length, compiled },
    {
      pipe: config.WORKER_POOL_FLOOR,
      tty: config.WORKER_POOL_FLOOR_TTY,
      compile: config.WORKER_POOL_FLOOR_COMPILE,
    },
  );
  return served.flatMap((each) => [
    { spec: each.pipe, floor: floors.pipe },
    { spec: each.tty, floor: floors.tty },
    ...(each.compile === undefined ? [] : [{ spec: each.compile, floor: floors.compile }]),
  ]);
}

function compiledOf(served: ReadonlyMap<string, Served>): Map<string, CompiledLanguage> {
  return new Map(
    [...served].flatMap(([name, { pipe, compile }]) => (compile === undefined ? [] : [[name, { pipe, compile }]])),
  );
}

interface CompilationParts {
  readonly pool: Pool;
  readonly metrics: WorkerMetrics;
  readonly lifecycle: Lifecycle;
  readonly logger: Logger;
  readonly keys: Keys;
}

function startCompilations(config: WorkerConfig, parts: CompilationParts): Compilations {
  const { pool, metrics, lifecycle, logger, keys } = parts;
  // A connection of its own: megabytes must not stand before claims.
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
      compiled: (language, ms) => metrics.compileSeconds.observe({ language }, ms / 1000),
      failed: (language, error) => logger.warn({ err: error, language }, 'no sandbox for a compile step'),
    },
  });
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return Math.round(performance.now() - startMs);
}
