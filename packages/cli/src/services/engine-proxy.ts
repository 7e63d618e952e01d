// Starts and stops the engine proxy between the local workers and the engine, when RUNGRID_ENGINE_PROXY=1 requests it.
import { join } from 'node:path';
import { CliError } from '../errors.js';
import { startService } from '../exec.js';
import type { EngineState } from '../infra/engine.js';
import { wantedRuntime } from '../infra/sandbox-runtime.js';
import { type Paths, ROOT } from '../paths.js';
import { stop } from '../process-ref.js';
import { say, step } from '../progress.js';
import { readState, type State, updateState } from '../state.js';
import { readyLine } from './processes.js';

const READY_TIMEOUT_MS = 20_000;
/** Longer than its own deadlines for closing. */
const STOP_GRACE_MS = 20_000;

/** Whether workers use the proxy: requested now, or already running. */
export function wantsEngineProxy(state: State, env: NodeJS.ProcessEnv = process.env): boolean {
  return env['RUNGRID_ENGINE_PROXY'] === '1' || state.engineProxy !== undefined;
}

/** Starts the proxy when it does not run, and returns the DOCKER_HOST for workers. The caller holds the lock. Throws CliError. */
export async function ensureEngineProxy(around: {
  paths: Paths;
  engine: EngineState;
  prefix: string;
}): Promise<string> {
  const { paths, engine, prefix } = around;
  const dockerHost = engine.host;
  const before = readState(paths);
  if (before.engineProxy !== undefined) return `unix://${before.engineProxy.socket}`;
  if (before.workers.length > 0)
    throw new CliError('Rungrid is up without the engine proxy, or the proxy has ended. Run ./rungrid down first.');
  if (!dockerHost.startsWith('unix://'))
    throw new CliError(`the engine proxy supports only an engine on a unix socket, not ${dockerHost}.`);
  const runtime = wantedRuntime();
  const socket = join(paths.run, 'engine.sock');
  const { process: ref } = await step('starting engine-proxy', () =>
    startService({
      paths,
      name: 'engine-proxy',
      command: [process.execPath, join(ROOT, 'services', 'engine-proxy', 'dist', 'main.js')],
      env: {
        ...process.env,
        NODE_ENV: 'production',
        RUNGRID_PREFIX: prefix,
        ENGINE_PROXY_SOCKET: socket,
        ENGINE_PROXY_ENGINE: dockerHost.slice('unix://'.length),
        // The same group that the workers request.
        ENGINE_PROXY_CGROUP_PARENT: process.env['WORKER_CGROUP_PARENT'] || engine.cgroupParent,
        ENGINE_PROXY_RUNTIMES: runtime === 'runc' ? '' : runtime,
      },
      ready: readyLine,
      timeoutMs: READY_TIMEOUT_MS,
    }),
  );
  updateState(paths, (state) => ({ ...state, engineProxy: { socket, process: ref } }));
  return `unix://${socket}`;
}

/** Stops the proxy. Workers must stop first: they remove their sandboxes through it. */
export async function stopEngineProxy(paths: Paths): Promise<void> {
  const { engineProxy } = readState(paths);
  if (engineProxy === undefined) return;
  await step('stopping engine-proxy', async () => {
    const clean = await stop(engineProxy.process, { graceMs: STOP_GRACE_MS });
    if (!clean) say('    engine-proxy did not stop in time: killed');
  });
  updateState(paths, ({ engineProxy: _engineProxy, ...rest }) => rest);
}
