// An engine proxy as a process, in front of the engine that the tests use.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceProcess } from './service-process.js';

const ENGINE_PROXY_MAIN = 'services/engine-proxy/dist/main.js';

export interface EngineProxy {
  /** The one that runs now. */
  readonly process: ServiceProcess;
  /** Path of its socket, and the same as a DOCKER_HOST. */
  readonly socket: string;
  readonly host: string;
  /** http://host:port of its metrics. */
  readonly metrics: string;
  /** SIGKILL, waited for. */
  kill(): Promise<void>;
  /** After `kill`: another one, on the same socket. */
  start(): Promise<void>;
  /** Once the process has ended. */
  removeFolder(): void;
}

/** For the fleet of `prefix`, in front of the engine of this DOCKER_HOST (default: that of this process). Resolves when it is ready. */
export async function startEngineProxy(options: { prefix: string; engine?: string | undefined }): Promise<EngineProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'rungrid-proxy-'));
  const socket = join(folder, 'engine.sock');
  const removeFolder = () => rmSync(folder, { recursive: true, force: true });
  const start = async () => {
    const service = engineProxy({ ...options, socket });
    const { metrics } = await service.ready();
    return { service, metrics: String(metrics) };
  };
  try {
    let now = await start();
    return {
      get process() {
        return now.service;
      },
      get metrics() {
        return now.metrics;
      },
      socket,
      host: `unix://${socket}`,
      kill: async () => {
        now.service.signal('SIGKILL');
        await now.service.exited;
      },
      start: async () => {
        now = await start();
      },
      removeFolder,
    };
  } catch (error) {
    removeFolder();
    throw error;
  }
}

function engineProxy(options: { prefix: string; socket: string; engine?: string | undefined }): ServiceProcess {
  const { prefix, socket } = options;
  const engine = options.engine ?? (process.env['DOCKER_HOST'] || 'unix:///var/run/docker.sock');
  return new ServiceProcess([process.execPath, ENGINE_PROXY_MAIN], {
    name: 'engine proxy',
    env: {
      RUNGRID_PREFIX: prefix,
      ENGINE_PROXY_SOCKET: socket,
      ENGINE_PROXY_ENGINE: engine.replace(/^unix:\/\//, ''),
    },
  });
}
