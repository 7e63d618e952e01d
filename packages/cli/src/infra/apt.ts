// Installs Debian packages when possible, and otherwise says what to install.
import { existsSync } from 'node:fs';
import { CliError } from '../errors.js';
import { runLogged, which } from '../exec.js';
import type { Paths } from '../paths.js';
import { step } from '../progress.js';

export interface Need {
  /** Any one of these programs satisfies the need. */
  readonly programs: readonly string[];
  readonly packages: readonly string[];
  /** Why it is needed, and the alternative without apt or root. */
  readonly otherwise: string;
}

/** The path of the first program found; installs the packages when none is. Rejects with CliError that says what to install. */
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
    // Package lists may be missing or old; a first attempt is cheaper than always fetching them.
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
