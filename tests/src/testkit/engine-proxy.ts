// An engine proxy as a process, in front of the engine that the tests use.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServiceProcess } from './service-process.js';

const ENGINE_PROXY_MAIN = 'services/engine-proxy/dist/main.js';

export interface EngineProxy {
  readonly process: ServiceProcess;
  /** Path of its socket, and the same as a DOCKER_HOST. */
  readonly socket: string;
  readonly host: string;
  /** http://host:port of its metrics. */
  readonly metrics: string;
  /** Once the process has ended. */
  removeFolder(): void;
}

/** For the fleet of `prefix`, in front of the engine of this DOCKER_HOST (default: that of this process). Resolves when it is ready. */
export async function startEngineProxy(options: { prefix: string; engine?: string | undefined }): Promise<EngineProxy> {
  const folder = mkdtempSync(join(tmpdir(), 'rungrid-proxy-'));
  const socket = join(folder, 'engine.sock');
  const engine = options.engine ?? (process.env['DOCKER_HOST'] || 'unix:///var/run/docker.sock');
  const service = new ServiceProcess([process.execPath, ENGINE_PROXY_MAIN], {
    name: 'engine proxy',
    env: {
      RUNGRID_PREFIX: options.prefix,
      ENGINE_PROXY_SOCKET: socket,
      ENGINE_PROXY_ENGINE: engine.replace(/^unix:\/\//, ''),
    },
  });
  try {
    const { metrics } = await service.ready();
    return {
      process: service,
      socket,
      host: `unix://${socket}`,
      metrics: String(metrics),
      removeFolder: () => rmSync(folder, { recursive: true, force: true }),
    };
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}
