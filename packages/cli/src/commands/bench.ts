// `bench`: runs the load test with the keys and the engine of the running installation.
import type { CommandInput, CommandModule } from '../command.js';
import { builtEntry, runAttached } from '../exec.js';
import { readKeys } from '../keys.js';
import { resolvePaths } from '../paths.js';
import { readState, withoutTheDead } from '../state.js';

export const command: CommandModule = { run };

async function run(input: CommandInput): Promise<number> {
  const paths = resolvePaths();
  const state = withoutTheDead(readState(paths));
  // The caller's own settings take precedence.
  const env: NodeJS.ProcessEnv = { ...process.env, RUNGRID_STATE: paths.state };
  const keys = readKeys(paths);
  if (keys !== undefined) env['GATEWAY_TOKEN_KEYS'] = keys;
  if (state.engine !== undefined) env['DOCKER_HOST'] ??= state.engine.host;
  // The control group above all sandboxes is part of the measurement.
  if (env['DOCKER_HOST'] === state.engine?.host) env['WORKER_CGROUP_PARENT'] ??= state.engine?.cgroupParent;
  return runAttached([...builtEntry('loadtest', 'dist', 'main.js'), ...input.positionals], env);
}
