// `doctor`: runs the self-test, the checks that a worker runs before it joins, on a real sandbox of each language.
import type { CommandModule } from '../command.js';
import { builtEntry, runAttached } from '../exec.js';
import { findEngine } from '../infra/engine.js';
import { resolvePaths } from '../paths.js';

export const command: CommandModule = { run };

async function run(): Promise<number> {
  const command = builtEntry('services', 'worker', 'dist', 'doctor.js');
  return runAttached(command, { ...process.env, DOCKER_HOST: await findEngine(resolvePaths()) });
}
