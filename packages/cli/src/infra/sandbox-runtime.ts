// Installs the runtime of SANDBOX_RUNTIME, and writes the private engine's settings for it.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RUNSC_ARGS, RUNTIMES, type RuntimeName } from '@rungrid/sandbox/runtimes';
import { CliError, messageOf } from '../errors.js';
import type { Paths } from '../paths.js';
import { say } from '../progress.js';
import { requireProgram } from './apt.js';
import { engineClient } from './engine-client.js';

const RUNSC = {
  programs: ['runsc'],
  packages: ['runsc'],
  otherwise: 'It is gVisor (SANDBOX_RUNTIME=runsc); unset that to run sandboxes with runc.',
};

/** The runtime of SANDBOX_RUNTIME. Throws CliError for an unknown one. */
export function wantedRuntime(env: NodeJS.ProcessEnv = process.env): RuntimeName {
  const given = env['SANDBOX_RUNTIME'] || 'runc';
  const known = RUNTIMES.find((name) => name === given);
  if (known !== undefined) return known;
  throw new CliError(`SANDBOX_RUNTIME takes one of ${RUNTIMES.join(', ')}, not "${given}".`);
}

/** Writes the settings file of a private engine, and installs the runtime in it. Returns the file's path. */
export async function writeEngineSettings(paths: Paths, runtime: RuntimeName): Promise<string> {
  if (runtime === 'kata')
    throw new CliError(
      'SANDBOX_RUNTIME=kata needs an engine that is set up for it (daemon.json, runtimes): point DOCKER_HOST at that engine.',
    );
  const file = join(paths.state, 'daemon.json');
  const path = runtime === 'runsc' ? await requireProgram(RUNSC, paths) : undefined;
  writeFileSync(file, `${JSON.stringify(engineSettings(path), null, 2)}\n`, { mode: 0o600 });
  return file;
}

/** `runsc`: its path; undefined when it is not used. */
export function engineSettings(runsc: string | undefined): object {
  return runsc === undefined ? {} : { runtimes: { runsc: { path: runsc, runtimeArgs: RUNSC_ARGS } } };
}

/** Rejects with CliError that says what to do when the engine at `host` lacks the runtime. `ours`: it is a private one. */
export async function requireRuntime(runtime: RuntimeName, engine: { host: string; ours: boolean }): Promise<void> {
  if (runtime === 'runc') return;
  const known = await knownRuntimes(engine.host);
  if (known.includes(runtime)) {
    say(`  sandbox runtime: ${runtime}`);
    return;
  }
  const settings = JSON.stringify(engineSettings('/usr/bin/runsc'));
  throw new CliError(
    engine.ours
      ? `the private engine was started without ${runtime}. Run ./rungrid down, then this again.`
      : runtime === 'runsc'
        ? `the Docker engine at ${engine.host} does not know runsc. Install it there (sudo apt-get install runsc), put ${settings} into its daemon.json (/etc/docker/daemon.json), and reload it (sudo systemctl reload docker). Or unset SANDBOX_RUNTIME.`
        : `the Docker engine at ${engine.host} does not know ${runtime}. Set it up in its daemon.json (runtimes), or unset SANDBOX_RUNTIME.`,
  );
}

async function knownRuntimes(host: string): Promise<string[]> {
  try {
    const info = (await engineClient(host).info()) as { Runtimes?: Record<string, unknown> };
    return Object.keys(info.Runtimes ?? {});
  } catch (error) {
    throw new CliError(`the Docker engine at ${host} does not report its runtimes: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
