// `down`: stops the processes in the state file, gateways first, checked against recycled pids.
import type { CommandModule } from '../command.js';
import { stopEngine } from '../infra/engine.js';
import { makeFolders, type Paths, resolvePaths } from '../paths.js';
import { stop } from '../process-ref.js';
import { say, step } from '../progress.js';
import { stopEngineProxy } from '../services/engine-proxy.js';
import { stopOne } from '../services/processes.js';
import { readState, updateState, withLock, withoutTheDead } from '../state.js';

const REDIS_GRACE_MS = 10_000;

export const command: CommandModule = { run };

async function run(): Promise<number> {
  const paths = resolvePaths();
  makeFolders(paths);
  const stopped = await withLock(paths, () => stopEverything(paths));
  say(stopped === 0 ? 'Rungrid was not up.' : 'Rungrid is down.');
  return 0;
}

/** Stops every process that this state folder owns. The caller holds the lock. Returns how many there were. */
export async function stopEverything(paths: Paths): Promise<number> {
  const state = updateState(paths, (now) => withoutTheDead(now));
  // Gateways first, so that no new run arrives and sockets close cleanly; then workers remove their sandboxes while the engine runs.
  for (const service of [...state.gateways, ...state.workers]) await stopOne(service, paths);
  await stopEngineProxy(paths);
  await stopInfrastructure(paths);
  const owned = [state.engineProxy?.process, state.engine?.process, state.redis?.process].filter(
    (ref) => ref !== undefined,
  );
  return state.gateways.length + state.workers.length + owned.length;
}

/** Stops the private Redis and engine, and removes both from the state. The caller holds the lock. */
export async function stopInfrastructure(paths: Paths): Promise<void> {
  const { redis, engine } = readState(paths);
  if (redis?.process !== undefined) {
    const ref = redis.process;
    await step('stopping redis', () => stop(ref, { graceMs: REDIS_GRACE_MS }));
  }
  if (engine?.process !== undefined) await step('stopping the private Docker engine', () => stopEngine(engine, paths));
  updateState(paths, ({ redis: _redis, engine: _engine, ...rest }) => rest);
}
