// `bench`: hands over to the load test, which measures what `up` started.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandInput, CommandModule } from '../command.js';
import { CliError } from '../errors.js';
import { readKeys } from '../keys.js';
import { resolvePaths, ROOT } from '../paths.js';
import { readState, withoutTheDead } from '../state.js';

export const command: CommandModule = { run };

async function run(input: CommandInput): Promise<number> {
  const main = join(ROOT, 'loadtest', 'dist', 'main.js');
  if (!existsSync(main))
    throw new CliError(`${main} is missing. Run ./rungrid help once: it builds what is not built.`);
  const paths = resolvePaths();
  const state = withoutTheDead(readState(paths));
  // The load test finds what runs by these; what the caller sets goes first.
  const env: NodeJS.ProcessEnv = { ...process.env, RUNGRID_STATE: paths.state };
  const keys = readKeys(paths);
  if (keys !== undefined) env['GATEWAY_TOKEN_KEYS'] = keys;
  if (state.engine !== undefined) env['DOCKER_HOST'] ??= state.engine.host;
  // The bound above all sandboxes is part of what is measured.
  if (env['DOCKER_HOST'] === state.engine?.host) env['WORKER_CGROUP_PARENT'] ??= state.engine?.cgroupParent;
  const child = spawn(process.execPath, [main, ...input.positionals], { stdio: 'inherit', env, cwd: ROOT });
  // A terminal sends Ctrl-C to both; the load test cleans up, and its exit code is ours.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
