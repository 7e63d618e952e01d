// Finds a Docker engine, or installs and starts a private one whose images, sockets and logs lie in the state folder.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError } from '../errors.js';
import { runLogged, startService, which } from '../exec.js';
import type { Paths } from '../paths.js';
import { isAlive, type ProcessRef, stop } from '../process-ref.js';
import { say, step } from '../progress.js';
import { readState, updateState } from '../state.js';
import { requireProgram } from './apt.js';
import { makeGroup, removeGroup } from './cgroup.js';
import { pingEngine } from './engine-client.js';
import { requireRuntime, wantedRuntime, writeEngineSettings } from './sandbox-runtime.js';

const SYSTEM_HOST = 'unix:///var/run/docker.sock';
/** dockerd answers within 2 s on a quiet machine; the first start sets its data folder up. */
const START_TIMEOUT_MS = 60_000;
/** It stops its containers first, up to 10 s each, in parallel. */
const STOP_GRACE_MS = 30_000;
/** How long a system service that was just installed may take to answer, ms. */
const SYSTEM_START_MS = 10_000;
/**
 * Niceness of the private dockerd, its containerd and shims. Making the next sandbox is their work, and it must not take the CPU
 * from a gateway or worker that answers a click. Programs in sandboxes have cgroups with shares of their own: this does not touch them.
 */
const DOCKERD_NICENESS = 5;

const INSTALL = {
  programs: ['dockerd'],
  packages: ['docker.io'],
  otherwise: 'Rungrid needs a Docker engine: start one, or point DOCKER_HOST at one.',
};

export interface EngineState {
  readonly host: string;
  /** The process when it is ours to stop. */
  readonly process?: ProcessRef;
  /** Control group above all of its sandboxes, when it is ours and one could be made. */
  readonly cgroupParent?: string;
}

/** The engine to use: DOCKER_HOST, ours when it runs, the system's, else a new private one. Records it. The caller holds the lock. */
export async function ensureEngine(paths: Paths): Promise<EngineState> {
  const runtime = wantedRuntime();
  const engine = await findOrStart(paths);
  // Recorded first: what was started must be known to `down` whatever comes.
  updateState(paths, (state) => ({ ...state, engine }));
  await requireRuntime(runtime, { host: engine.host, ours: engine.process !== undefined });
  return engine;
}

/** An engine that runs already: ours, else the one of DOCKER_HOST, else the system's. Rejects with CliError when none answers. */
export async function findEngine(paths: Paths): Promise<string> {
  const running = await findRunning(paths);
  if (running !== undefined) return running.host;
  throw new CliError(`no Docker engine answers at ${SYSTEM_HOST}. Start one, or point DOCKER_HOST at one.`);
}

async function findOrStart(paths: Paths): Promise<EngineState> {
  const running = await findRunning(paths);
  if (running !== undefined) return running;
  if (process.getuid?.() !== 0) {
    throw new CliError(
      `no Docker engine answers at ${SYSTEM_HOST}. Install one (sudo apt-get install docker.io), point DOCKER_HOST at one, or run this as root: then a private one is started.`,
    );
  }
  const wasInstalled = which('dockerd') !== undefined;
  const dockerd = await requireProgram(INSTALL, paths);
  if (!wasInstalled && (await systemStarted())) return useSystem();
  return startPrivate(dockerd, paths);
}

/** Rejects with CliError when DOCKER_HOST names one that does not answer, or when the system's may not be used. */
async function findRunning(paths: Paths): Promise<EngineState | undefined> {
  const ours = readState(paths).engine;
  if (ours?.process !== undefined && isAlive(ours.process) && (await pingEngine(ours.host)).ok) {
    say(`  Docker engine: private, runs already (${ours.host})`);
    return ours;
  }
  const given = process.env['DOCKER_HOST'];
  if (given !== undefined && given !== '') {
    const answer = await pingEngine(given);
    if (!answer.ok)
      throw new CliError(
        `no Docker engine answers at DOCKER_HOST=${given} (${answer.why}). Start it, or unset DOCKER_HOST.`,
      );
    say(`  Docker engine: ${given}`);
    return { host: given };
  }
  const system = await pingEngine(SYSTEM_HOST);
  if (system.ok) return useSystem();
  if (system.denied && process.getuid?.() !== 0) {
    throw new CliError(
      `you may not use the Docker engine at ${SYSTEM_HOST}. Join its group (sudo usermod -aG docker $USER, then log in again), or point DOCKER_HOST at another one.`,
    );
  }
  return undefined;
}

function useSystem(): EngineState {
  say(`  Docker engine: the system's (${SYSTEM_HOST})`);
  return { host: SYSTEM_HOST };
}

/** The package starts a service of its own where an init system runs: then that one is used. */
async function systemStarted(): Promise<boolean> {
  if (!existsSync('/run/systemd/system')) return false;
  const deadline = performance.now() + SYSTEM_START_MS;
  while (performance.now() < deadline) {
    if ((await pingEngine(SYSTEM_HOST)).ok) return true;
    await sleep(200);
  }
  return false;
}

async function startPrivate(dockerd: string, paths: Paths): Promise<EngineState> {
  const run = join(paths.run, 'docker');
  const host = `unix://${join(run, 'docker.sock')}`;
  const pidFile = join(run, 'pid');
  // Left by a machine that lost power: dockerd refuses to start when some process has that number now.
  rmSync(pidFile, { force: true });
  const settings = await writeEngineSettings(paths, wantedRuntime());
  return step('starting a private Docker engine', async () => {
    const { process: ref } = await startService({
      paths,
      name: 'dockerd',
      command: [
        'nice',
        `--adjustment=${DOCKERD_NICENESS}`,
        dockerd,
        `--config-file=${settings}`,
        // Known whatever the host has: the group above all sandboxes is made in the kernel's own tree.
        '--exec-opt=native.cgroupdriver=cgroupfs',
        `--data-root=${paths.dockerData}`,
        `--exec-root=${join(run, 'exec')}`,
        `--host=${host}`,
        `--pidfile=${pidFile}`,
        // Sandboxes have no network and image builds use the host's: nothing of the machine's network setup is touched.
        '--bridge=none',
        '--iptables=false',
        '--ip6tables=false',
        '--ip-masq=false',
        '--log-level=warn',
      ],
      env: process.env,
      // A container's shim says several such lines a run, whatever dockerd's own level is.
      dropLines: 'level=info',
      ready: async () => ((await pingEngine(host)).ok ? host : undefined),
      timeoutMs: START_TIMEOUT_MS,
    });
    const cgroupParent = makeGroup(paths.state);
    return { host, process: ref, ...(cgroupParent === undefined ? {} : { cgroupParent }) };
  });
}

/** Stops a private engine, and removes what it leaves mounted. Other engines are not touched. */
export async function stopEngine(engine: EngineState, paths: Paths): Promise<void> {
  if (engine.process === undefined) return;
  await stop(engine.process, { graceMs: STOP_GRACE_MS });
  if (engine.cgroupParent !== undefined) removeGroup(paths.state);
  const namespaces = join(paths.run, 'docker', 'exec', 'netns', 'default');
  // dockerd may leave its mount of the host's namespace behind, and a folder with a mount cannot be removed.
  if (!readFileSync('/proc/self/mounts', 'utf8').includes(` ${namespaces} `)) return;
  await runLogged(['umount', '--lazy', namespaces], { paths, log: 'umount' }).catch((error: unknown) =>
    say(`  ${String(error)}`),
  );
}
