// Installs Debian packages where that is possible, and says what to install where it is not.
import { existsSync } from 'node:fs';
import { CliError } from '../errors.js';
import { runLogged, which } from '../exec.js';
import type { Paths } from '../paths.js';
import { step } from '../progress.js';

export interface Need {
  /** Programs of which one is enough. */
  readonly programs: readonly string[];
  readonly packages: readonly string[];
  /** Why it is needed, and what to do without apt or root. */
  readonly otherwise: string;
}

/** The path of the first program that is there, installed first when none is. Rejects with CliError that says what to install. */
export async function requireProgram(need: Need, paths: Paths): Promise<string> {
  const find = () => need.programs.map((name) => which(name)).find((path) => path !== undefined);
  const there = find();
  if (there !== undefined) return there;
  await install(need, paths);
  const installed = find();
  if (installed === undefined)
    throw new CliError(
      `${need.packages.join(' ')} is installed, but ${need.programs[0]} is not on the PATH. ${need.otherwise}`,
    );
  return installed;
}

async function install(need: Need, paths: Paths): Promise<void> {
  const list = need.packages.join(' ');
  if (process.getuid?.() !== 0)
    throw new CliError(
      `${need.programs[0]} is missing. Install it (sudo apt-get install ${list}), then run this again. ${need.otherwise}`,
    );
  if (which('apt-get') === undefined)
    throw new CliError(`${need.programs[0]} is missing, and there is no apt-get to install it with. ${need.otherwise}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const get = ['apt-get', '-o', 'Dpkg::Use-Pty=0', '-o', 'DPkg::Lock::Timeout=300', '-y'] as const;
  await step(`installing ${list}`, async () => {
    // Lists may be missing or old: a first try without them is cheaper than always fetching them.
    const first = [...get, 'install', '--no-install-recommends', ...need.packages] as const;
    try {
      if (!existsSync('/var/lib/apt/lists/lock')) throw new CliError('no package lists yet');
      await runLogged(first, { paths, log: 'apt', env });
    } catch {
      await runLogged([...get, 'update'], { paths, log: 'apt', env });
      await runLogged(first, { paths, log: 'apt', env });
    }
  });
}
