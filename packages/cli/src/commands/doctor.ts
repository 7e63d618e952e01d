// `doctor`: proves on real sandboxes that they hold what is promised, by the same checks that a worker runs before it joins.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { CommandModule } from '../command.js';
import { CliError } from '../errors.js';
import { findEngine } from '../infra/engine.js';
import { resolvePaths, ROOT } from '../paths.js';

export const command: CommandModule = { run };

async function run(): Promise<number> {
  const main = join(ROOT, 'services', 'worker', 'dist', 'doctor.js');
  if (!existsSync(main))
    throw new CliError(`${main} is missing. Run ./rungrid help once: it builds what is not built.`);
  const env = { ...process.env, DOCKER_HOST: await findEngine(resolvePaths()) };
  const child = spawn(process.execPath, [main], { stdio: 'inherit', env, cwd: ROOT });
  // A terminal sends Ctrl-C to both; the child removes its sandboxes, and its exit code is ours.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => resolve(code ?? 1));
  });
}
