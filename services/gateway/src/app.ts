// Puts the gateway together: starts its parts in order, and owns their end.
import { newHexId } from '@rungrid/kit/ids';
import { startInternalHttp } from '@rungrid/kit/internal-http';
import type { ServiceParts } from '@rungrid/kit/service';
import { createKeys, type Keys } from '@rungrid/bus/keys';
import type { Lifecycle } from '@rungrid/kit/lifecycle';
import type { Logger } from '@rungrid/kit/logger';
import { createRegistry } from '@rungrid/kit/metrics';
import { RunQueue } from '@rungrid/bus/run-queue';
import { LanguageCatalog } from './admission/catalog.js';
import type { GatewayConfig } from './config.js';
import { encodeHello } from './hello.js';
import { WorkerChannels } from './grpc/workers.js';
import { createMetrics, type GatewayMetrics } from './metrics.js';
import { createServer, createSessions, type Edge } from './edge.js';
import { Router } from './routing/router.js';
import type { Sessions } from './session/sessions.js';
import { openRedis, type RedisPair } from './stream/connections.js';
import { WorkerDirectory } from './stream/directory.js';
import { ReplyReader } from './stream/replies.js';

/** How long the workers may take to end abandoned runs at shutdown, ms. */
const RELEASE_MS = 4000;

/** A run's registry hash outlives its stay in the queue by this, ms, so that a late claim or cancel still finds its state. */
const RUN_TTL_MARGIN_MS = 60_000;
/** How long sockets may take to close after the drain, ms. */
const CLOSE_MS = 5000;

interface Gateway {
  readonly url: string;
  readonly internal: string;
}

/** Starts the gateway. `lifecycle` closes its parts in reverse: the public side first, Redis last. */
export async function startGateway(
  config: GatewayConfig,
  { logger, lifecycle }: Pick<ServiceParts, 'logger' | 'lifecycle'>,
): Promise<Gateway> {
  const gatewayId = newHexId();
  const keys = createKeys(config.RUNGRID_PREFIX);
  const edge: Edge = { draining: false, workers: 0, origins: new Set(), hello: encodeHello(config, []) };
  const catalog = new LanguageCatalog();
  // A worker is dialled only once it was announced, and by then there is a router.
  const channels = new WorkerChannels({
    gatewayId,
    security: config.grpcSecurity,
    serverName: config.RUNGRID_GRPC_SERVER_NAME,
    onAssigned: (notice) => router.claimed(notice),
    logger,
  });
  const registry = createRegistry('gateway');
  // The sources are read with /metrics, and by then all of them exist.
  const metrics = createMetrics(registry, {
    sockets: () => sessions.size,
    liveRuns: () => router.size,
    workers: () => edge.workers,
    channels: () => channels.size,
    streams: () => channels.streams,
    redisUp: (connection) => (redis[connection].status === 'ready' ? 1 : 0),
  });

  const redis = await openRedis({ url: config.RUNGRID_REDIS_URL, gatewayId, logger });
  lifecycle.own('redis', () => redis.close());
  const notReady = () => reasonsNotReady(edge, redis);
  lifecycle.own('grpc channels', () => channels.close());
  let alive: ReadonlySet<string> = new Set();
  const isAlive = (workerId: string) => alive.has(workerId);
  const router = createRouter({ config, keys, redis, channels, metrics, logger, isAlive });
  const replies = new ReplyReader({
    redis: redis.replies,
    keys,
    gatewayId,
    logger,
    onClaim: (claim) => router.claimed(claim),
  });
  // Registered before the router, so closed after it: while runs are abandoned, their claims may still come.
  lifecycle.own('reply reader', () => replies.close());
  lifecycle.own('router', () => router.close(RELEASE_MS));
  const directory = new WorkerDirectory({
    redis: redis.commands,
    keys,
    logger,
    onWorkers: (workers) => {
      alive = new Set(workers.map((worker) => worker.id));
      edge.workers = workers.filter((worker) => !worker.draining).length;
      channels.announced(workers.map((worker) => worker.grpc));
      if (catalog.update(workers, performance.now())) edge.hello = encodeHello(config, catalog.languages);
    },
  });
  lifecycle.own('worker directory', () => directory.close());
  await directory.start();

  const available = () => redis.commands.status === 'ready' && directory.answered;
  const internal = await startInternalHttp({
    host: config.GATEWAY_INTERNAL_HOST,
    port: config.GATEWAY_INTERNAL_PORT,
    registry,
    notReady,
  });
  lifecycle.own('internal http', () => internal.close());
  const sessions = createSessions({ config, edge, metrics, router, available, catalog, gatewayId });
  const url = await listen({ config, edge, metrics, sessions, catalog, logger, notReady, lifecycle });
  return { url, internal: internal.url };
}

function createRouter(parts: {
  config: GatewayConfig;
  keys: Keys;
  redis: RedisPair;
  channels: WorkerChannels;
  metrics: GatewayMetrics;
  logger: Logger;
  isAlive: (workerId: string) => boolean;
}): Router {
  const { config } = parts;
  return new Router({
    registry: new RunQueue(parts.redis.commands, parts.keys, {
      rateLimit: config.GATEWAY_RUNS_PER_ADDRESS,
      rateWindowMs: config.GATEWAY_RUNS_WINDOW_MS,
      maxQueue: config.GATEWAY_MAX_QUEUE,
      maxWaitMs: config.GATEWAY_MAX_WAIT_MS,
      addressShare: config.GATEWAY_ADDRESS_SHARE,
      siteShare: config.GATEWAY_SITE_SHARE,
      runTtlMs: config.GATEWAY_QUEUE_TTL_MS + RUN_TTL_MARGIN_MS,
    }),
    openStream: parts.channels.open,
    metrics: parts.metrics.routing,
    settings: { queueTtlMs: config.GATEWAY_QUEUE_TTL_MS, startMs: config.GATEWAY_START_MS },
    logger: parts.logger,
    isAlive: parts.isAlive,
  });
}

/** Opens the public port; its closer announces the drain, waits for runs, and closes the sockets. */
async function listen(
  parts: Parameters<typeof createServer>[0] & { sessions: Sessions; lifecycle: Lifecycle },
): Promise<string> {
  const { config, edge, sessions } = parts;
  const server = createServer(parts);
  const drain = async () => {
    edge.draining = true;
    server.close();
    await sessions.drain(config.GATEWAY_DRAIN_MS);
    sessions.close('restart');
  };
  parts.lifecycle.own('sessions', drain, { timeoutMs: config.GATEWAY_DRAIN_MS + CLOSE_MS });
  const port = await server.listen(config.GATEWAY_HOST, config.GATEWAY_PORT);
  edge.origins = new Set(config.allowedOrigins ?? [`http://localhost:${port}`, `http://127.0.0.1:${port}`]);
  const host = config.GATEWAY_HOST.includes(':') ? `[${config.GATEWAY_HOST}]` : config.GATEWAY_HOST;
  return `http://${host === '0.0.0.0' || host === '[::]' ? '127.0.0.1' : host}:${port}`;
}

function reasonsNotReady(edge: Edge, redis: RedisPair): string[] {
  const reasons: string[] = [];
  if (edge.draining) reasons.push('draining');
  if (redis.commands.status !== 'ready' || redis.replies.status !== 'ready') reasons.push('redis is not reachable');
  if (edge.workers === 0) reasons.push('no worker is connected');
  return reasons;
}
