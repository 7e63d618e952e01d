// `down`: stops what the state file says is ours, checked against recycled pids, in the order in which work flows.
import type { CommandModule } from '../command.js';
import { stopEngine } from '../infra/engine.js';
import { makeFolders, type Paths, resolvePaths } from '../paths.js';
import { stop } from '../process-ref.js';
import { say, step } from '../progress.js';
import { stopEngineProxy } from '../services/engine-proxy.js';
import { stopOne } from '../services/processes.js';
import { readState, takeLock, updateState, withoutTheDead } from '../state.js';

const REDIS_GRACE_MS = 10_000;

export const command: CommandModule = { run };

async function run(): Promise<number> {
  const paths = resolvePaths();
  makeFolders(paths);
  const unlock = takeLock(paths);
  try {
    const stopped = await stopEverything(paths);
    say(stopped === 0 ? 'Rungrid was not up.' : 'Rungrid is down.');
  } finally {
    unlock();
  }
  return 0;
}

/** Stops everything that this state folder owns. The caller holds the lock. Returns how many processes there were. */
export async function stopEverything(paths: Paths): Promise<number> {
  const state = updateState(paths, (now) => withoutTheDead(now));
  // Gateways first: no new run comes in, and sockets are told; workers then clear their sandboxes while the engine lives.
  for (const service of [...state.gateways, ...state.workers]) await stopOne(service, paths);
  await stopEngineProxy(paths);
  await stopInfrastructure(paths);
  const owned = [state.engineProxy?.process, state.engine?.process, state.redis?.process].filter(
    (ref) => ref !== undefined,
  );
  return state.gateways.length + state.workers.length + owned.length;
}

/** Stops the private Redis and the private engine, and forgets those of others. The caller holds the lock. */
export async function stopInfrastructure(paths: Paths): Promise<void> {
  const { redis, engine } = readState(paths);
  if (redis?.process !== undefined) {
    const ref = redis.process;
    await step('stopping redis', () => stop(ref, { graceMs: REDIS_GRACE_MS }));
  }
  if (engine?.process !== undefined) await step('stopping the private Docker engine', () => stopEngine(engine, paths));
  updateState(paths, ({ redis: _redis, engine: _engine, ...rest }) => rest);
}
