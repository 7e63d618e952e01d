// Starts the parts of the proxy: engine client, gate, server, metrics. The lifecycle stops them in reverse order.
import { startInternalHttp } from '@rungrid/kit/internal-http';
import type { Lifecycle } from '@rungrid/kit/lifecycle';
import type { Logger } from '@rungrid/kit/logger';
import { createRegistry } from '@rungrid/kit/metrics';
import { TokenBucket } from '@rungrid/kit/token-bucket';
import { fleetsOf, listed, type ProxyConfig } from './config.js';
import { EngineClient } from './docker/engine.js';
import { type Outcome, ProxyServer } from './http/server.js';
import { listenOn } from './http/socket-file.js';
import { createProxyMetrics } from './metrics.js';
import { Gate } from './policy/gate.js';

/** Rate and burst of logged refusals: a client must not fill the disk with them. The counter has all. */
const LOGGED = { perSecond: 5, capacity: 50 };

interface RunningProxy {
  readonly socket: string;
  /** Of metrics and health. */
  readonly metrics: string;
}

/** Starts it; what it starts is owned by `lifecycle`. Rejects with ConfigError when the socket is not available. */
export async function startProxy(
  config: ProxyConfig,
  deps: { logger: Logger; lifecycle: Lifecycle },
): Promise<RunningProxy> {
  const { logger, lifecycle } = deps;
  const registry = createRegistry('engine-proxy');
  const metrics = createProxyMetrics(registry);
  const engine = new EngineClient({
    socketPath: config.ENGINE_PROXY_ENGINE,
    timeoutMs: config.ENGINE_PROXY_ENGINE_MS,
    answerBytes: config.ENGINE_PROXY_ANSWER_BYTES,
    maxSockets: config.ENGINE_PROXY_ENGINE_CALLS,
  });
  lifecycle.own('engine', () => engine.close());

  const internal = await startInternalHttp({
    host: config.ENGINE_PROXY_INTERNAL_HOST,
    port: config.ENGINE_PROXY_INTERNAL_PORT,
    registry,
    notReady: () => (proxy.server.listening ? [] : ['the socket is not open']),
  });
  lifecycle.own('internal http', () => internal.close());

  const proxy = new ProxyServer({
    gate: new Gate(engine, gatePolicy(config)),
    engine,
    limits: {
      connections: config.ENGINE_PROXY_CONNECTIONS,
      bodyBytes: config.ENGINE_PROXY_BODY_BYTES,
      requestTimeoutMs: config.ENGINE_PROXY_REQUEST_MS,
    },
    observer: {
      outcome: recorder(metrics, logger),
      dropped: () => metrics.dropped.inc(),
      attached: (count) => metrics.attached.set(count),
    },
  });
  lifecycle.own('proxy', () => proxy.close());
  await listenOn(proxy.server, {
    path: config.ENGINE_PROXY_SOCKET,
    mode: Number.parseInt(config.ENGINE_PROXY_SOCKET_MODE, 8),
    owner: ownerOf(config.ENGINE_PROXY_SOCKET_OWNER),
  });
  return { socket: config.ENGINE_PROXY_SOCKET, metrics: internal.url };
}

function gatePolicy(config: ProxyConfig): ConstructorParameters<typeof Gate>[1] {
  return {
    fleets: fleetsOf(config),
    images: listed(config.ENGINE_PROXY_IMAGES),
    seccomp: config.ENGINE_PROXY_SECCOMP,
    runtimes: listed(config.ENGINE_PROXY_RUNTIMES),
    cgroupParent: config.ENGINE_PROXY_CGROUP_PARENT,
    maxLimits: {
      memoryBytes: config.ENGINE_PROXY_MEMORY_BYTES,
      cpus: config.ENGINE_PROXY_CPUS,
      pids: config.ENGINE_PROXY_PIDS,
      tmpBytes: config.ENGINE_PROXY_TMP_BYTES,
      tmpInodes: config.ENGINE_PROXY_TMP_INODES,
      openFiles: config.ENGINE_PROXY_OPEN_FILES,
    },
  };
}

/** Counts every outcome; logs refusals within their rate. */
function recorder(metrics: ReturnType<typeof createProxyMetrics>, logger: Logger): (outcome: Outcome) => void {
  const bucket = new TokenBucket(LOGGED, performance.now());
  let unlogged = 0;
  return ({ verb, result, message, error }) => {
    metrics.requests.inc({ call: verb ?? 'none', result });
    if (result === 'forwarded' || result === 'no_such_container') return;
    if (bucket.take(performance.now()) > 0) {
      unlogged += 1;
      return;
    }
    const more = { ...(unlogged > 0 ? { unlogged } : {}), ...(error === undefined ? {} : { err: error }) };
    logger.warn({ call: verb ?? 'none', result, why: message, ...more }, 'engine call refused');
    unlogged = 0;
  };
}

function ownerOf(text: string | undefined): { uid: number; gid: number } | undefined {
  if (text === undefined) return undefined;
  const [uid, gid] = text.split(':').map(Number);
  return uid === undefined || gid === undefined ? undefined : { uid, gid };
}
