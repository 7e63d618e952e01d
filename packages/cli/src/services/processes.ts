// Starts and stops gateways and workers until as many run as wanted; each reports that it is ready by a log line.
import { createServer } from 'node:net';
import { join } from 'node:path';
import { CliError } from '../errors.js';
import { startService } from '../exec.js';
import { type Paths, ROOT } from '../paths.js';
import { stop } from '../process-ref.js';
import { say, step } from '../progress.js';
import { type GatewayState, type State, updateState, type WorkerState } from '../state.js';

const DEFAULT_PORT = 8080;
/** How many ports above the default are tried when --port is absent. */
const PORT_TRIES = 50;
/** A worker fills its pool before it is ready, which takes seconds on a slow machine. */
const READY_TIMEOUT_MS = 60_000;
/** Longer than the services' own deadlines for closing. */
const STOP_GRACE_MS = 20_000;
/** Drain time of live runs at `down`: the user waits for it, and no other gateway could take them over. */
const DRAIN_MS = '1000';

export interface Wanted {
  readonly gateways: number;
  readonly workers: number;
  readonly languages: readonly string[];
  /** Undefined: the default, or the next free one. */
  readonly port?: number;
}

export interface Surroundings {
  readonly paths: Paths;
  /** RUNGRID_REDIS_URL by service. */
  readonly redisUrlOf: (service: 'gateway' | 'worker') => string;
  /** RUNGRID_PREFIX: services with the same prefix and Redis form one installation. */
  readonly prefix: string;
  readonly dockerHost: string;
  /** Control group above all sandboxes; undefined where there is none. */
  readonly cgroupParent: string | undefined;
  readonly tokenKeys: string;
  /** RUNGRID_GRPC_SECRET of gateways and workers. */
  readonly grpcSecret: string;
}

/** Starts missing services and stops surplus ones. Returns the new state. */
export async function converge(state: State, wanted: Wanted, around: Surroundings): Promise<State> {
  for (const worker of state.workers.slice(wanted.workers)) await stopOne(worker, around.paths);
  for (const gateway of state.gateways.slice(wanted.gateways)) await stopOne(gateway, around.paths);
  // Workers first, so that a gateway that is ready has a worker to run programs.
  const kept = state.workers.slice(0, wanted.workers);
  for (const name of missingNames('worker', kept, wanted.workers)) await startWorker(name, wanted, around);
  const gateways = state.gateways.slice(0, wanted.gateways);
  const names = missingNames('gateway', gateways, wanted.gateways);
  if (names.length > 0) {
    const taken = gateways.map((gateway) => Number(new URL(gateway.url).port));
    const ports = await pickPorts(names.length, { wanted: wanted.port, taken });
    const origins = [...taken, ...ports].flatMap((port) => [`http://localhost:${port}`, `http://127.0.0.1:${port}`]);
    for (const [index, name] of names.entries()) {
      await startGateway(name, { port: ports[index] as number, origins, around });
    }
  }
  return updateState(around.paths, (now) => ({ ...now, wanted: { ...wanted, languages: [...wanted.languages] } }));
}

/** `gateway-1`, `gateway-2` …: the lowest numbers that are free. */
export function missingNames(kind: string, there: readonly { name: string }[], wanted: number): string[] {
  const names = Array.from({ length: wanted }, (_, index) => `${kind}-${index + 1}`).filter(
    (name) => !there.some((each) => each.name === name),
  );
  return names.slice(0, Math.max(0, wanted - there.length));
}

/** Stops one service and removes it from the state. */
export async function stopOne(service: GatewayState | WorkerState, paths: Paths): Promise<void> {
  await step(`stopping ${service.name}`, async () => {
    const clean = await stop(service.process, { graceMs: STOP_GRACE_MS });
    if (!clean) say(`    ${service.name} did not stop in time: killed`);
  });
  updateState(paths, (state) => ({
    ...state,
    gateways: state.gateways.filter((gateway) => gateway.process.pid !== service.process.pid),
    workers: state.workers.filter((worker) => worker.process.pid !== service.process.pid),
  }));
}

async function startWorker(name: string, wanted: Wanted, around: Surroundings): Promise<void> {
  const started = await step(`starting ${name}`, () =>
    startNode('worker', name, {
      around,
      env: {
        DOCKER_HOST: around.dockerHost,
        WORKER_LANGUAGES: wanted.languages.join(','),
        WORKER_CGROUP_PARENT: process.env['WORKER_CGROUP_PARENT'] || around.cgroupParent,
        WORKER_DRAIN_MS: process.env['WORKER_DRAIN_MS'] ?? DRAIN_MS,
      },
    }),
  );
  const worker = { name, process: started.process, grpc: started.line('grpc'), metrics: started.line('metrics') };
  updateState(around.paths, (state) => ({ ...state, workers: [...state.workers, worker] }));
}

async function startGateway(
  name: string,
  options: { port: number; origins: readonly string[]; around: Surroundings },
): Promise<void> {
  const { around } = options;
  const started = await step(`starting ${name}`, () =>
    startNode('gateway', name, {
      around,
      env: {
        GATEWAY_PORT: String(options.port),
        GATEWAY_INTERNAL_PORT: '0',
        GATEWAY_TOKEN_KEYS: around.tokenKeys,
        GATEWAY_ALLOWED_ORIGINS: process.env['GATEWAY_ALLOWED_ORIGINS'] ?? options.origins.join(','),
        GATEWAY_DRAIN_MS: process.env['GATEWAY_DRAIN_MS'] ?? DRAIN_MS,
      },
    }),
  );
  const gateway = { name, process: started.process, url: started.line('url'), internal: started.line('internal') };
  updateState(around.paths, (state) => ({ ...state, gateways: [...state.gateways, gateway] }));
}

async function startNode(
  service: 'gateway' | 'worker',
  name: string,
  options: { around: Surroundings; env: NodeJS.ProcessEnv },
) {
  const { process: ref, ready } = await startService({
    paths: options.around.paths,
    name,
    command: [process.execPath, join(ROOT, 'services', service, 'dist', 'main.js')],
    env: {
      ...process.env,
      NODE_ENV: 'production',
      RUNGRID_REDIS_URL: options.around.redisUrlOf(service),
      RUNGRID_PREFIX: options.around.prefix,
      RUNGRID_GRPC_SECRET: options.around.grpcSecret,
      ...options.env,
    },
    ready: readyLine,
    timeoutMs: READY_TIMEOUT_MS,
  });
  const line = (field: string): string => {
    const value = ready[field];
    if (typeof value !== 'string')
      throw new CliError(
        `${name} is ready, but its log does not say "${field}": its build is out of date. Run ./rungrid again.`,
      );
    return value;
  };
  return { process: ref, line };
}

/** The fields of the ready line; undefined until the log has one. */
export function readyLine(log: string): Record<string, unknown> | undefined {
  for (const line of log.split('\n')) {
    if (!line.startsWith('{') || !line.includes('"ready"')) continue;
    try {
      const value = JSON.parse(line) as Record<string, unknown>;
      if (value['msg'] === 'ready') return value;
    } catch {
      // The service has written only part of the line.
      continue;
    }
  }
  return undefined;
}

/** Free ports, in ascending order. Rejects with CliError when a requested one is taken. */
export async function pickPorts(
  count: number,
  options: { wanted: number | undefined; taken: readonly number[] },
): Promise<number[]> {
  const first = options.wanted ?? DEFAULT_PORT;
  const ports: number[] = [];
  for (let port = first; ports.length < count && port < first + PORT_TRIES + count && port <= 65_535; port++) {
    if (options.taken.includes(port)) continue;
    if (await isFree(port)) {
      ports.push(port);
    } else if (options.wanted !== undefined) {
      throw new CliError(
        `port ${port} is taken by another program. Choose another one with --port, or omit --port to use the next free one.`,
      );
    }
  }
  if (ports.length < count) throw new CliError(`no free port from ${first} on. Choose another one with --port.`);
  return ports;
}

async function isFree(port: number): Promise<boolean> {
  const host = process.env['GATEWAY_HOST'] ?? '127.0.0.1';
  const server = createServer();
  return new Promise((resolve) => {
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
