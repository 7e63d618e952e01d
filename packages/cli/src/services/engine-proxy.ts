// The engine proxy between the local workers and the engine: only where RUNGRID_ENGINE_PROXY=1 asks for it.
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

/** Whether workers are to go through a proxy: asked for now, or they do already. */
export function wantsEngineProxy(state: State, env: NodeJS.ProcessEnv = process.env): boolean {
  return env['RUNGRID_ENGINE_PROXY'] === '1' || state.engineProxy !== undefined;
}

/** DOCKER_HOST of the workers: of the proxy, started when it does not run. The caller holds the lock. Throws CliError. */
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
    throw new CliError('it is up without the engine proxy, or that has ended. Run ./rungrid down first.');
  if (!dockerHost.startsWith('unix://'))
    throw new CliError(`the engine proxy takes an engine on a unix socket only, not ${dockerHost}.`);
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
        // What the workers are told to ask for.
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

/** Stops and forgets it. Workers are to end first: their sandboxes are removed through it. */
export async function stopEngineProxy(paths: Paths): Promise<void> {
  const { engineProxy } = readState(paths);
  if (engineProxy === undefined) return;
  await step('stopping engine-proxy', async () => {
    const clean = await stop(engineProxy.process, { graceMs: STOP_GRACE_MS });
    if (!clean) say('    engine-proxy did not end by itself: killed');
  });
  updateState(paths, ({ engineProxy: _engineProxy, ...rest }) => rest);
}
