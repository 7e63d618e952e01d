// Finds a Docker engine, or installs and starts a private one whose images, sockets and logs are in the state folder.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CliError } from '../errors.js';
import { runLogged, startService, which } from '../exec.js';
import type { Paths } from '../paths.js';
import { isAlive, type ProcessRef, stop } from '../process-ref.js';
import { poll } from '../poll.js';
import { say, step } from '../progress.js';
import { readState, updateState } from '../state.js';
import { requireProgram } from './apt.js';
import { makeGroup, removeGroup } from './cgroup.js';
import { pingEngine } from './engine-client.js';
import { requireRuntime, wantedRuntime, writeEngineSettings } from './sandbox-runtime.js';

const SYSTEM_HOST = 'unix:///var/run/docker.sock';
/** dockerd answers within 2 s on a quiet machine; its first start also sets up its data folder. */
const START_TIMEOUT_MS = 60_000;
/** dockerd stops its containers first, in parallel, up to 10 s each. */
const STOP_GRACE_MS = 30_000;
/** How long a system service that was just installed may take to answer, ms. */
const SYSTEM_START_MS = 10_000;
/**
 * Niceness of the private dockerd, its containerd and shims. They start the next sandbox, and must not take the CPU from a gateway
 * or worker that answers a click. Programs in sandboxes have CPU shares of their own, which this does not change.
 */
const DOCKERD_NICENESS = 5;

const INSTALL = {
  programs: ['dockerd'],
  packages: ['docker.io'],
  otherwise: 'Rungrid needs a Docker engine: start one, or point DOCKER_HOST at one.',
};

export interface EngineState {
  readonly host: string;
  /** The process; present when this installation started it and stops it. */
  readonly process?: ProcessRef;
  /** Control group above all of its sandboxes; only for a private engine whose group could be created. */
  readonly cgroupParent?: string;
}

/** The engine to use: a running private one, DOCKER_HOST, the system's, else a new private one. Records it. The caller holds the lock. */
export async function ensureEngine(paths: Paths): Promise<EngineState> {
  const runtime = wantedRuntime();
  const engine = await findOrStart(paths);
  // Recorded first, so that `down` knows of a started engine whatever happens next.
  updateState(paths, (state) => ({ ...state, engine }));
  await requireRuntime(runtime, { host: engine.host, ours: engine.process !== undefined });
  return engine;
}

/** A running engine: the private one, DOCKER_HOST, or the system's. Rejects with CliError when none answers. */
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
      `no Docker engine answers at ${SYSTEM_HOST}. Install one (sudo apt-get install docker.io), point DOCKER_HOST at one, or run this as root to start a private one.`,
    );
  }
  const wasInstalled = which('dockerd') !== undefined;
  const dockerd = await requireProgram(INSTALL, paths);
  if (!wasInstalled && (await systemStarted())) return useSystem();
  return startPrivate(dockerd, paths);
}

/** Rejects with CliError when the engine at DOCKER_HOST does not answer, or when this user may not use the system's. */
async function findRunning(paths: Paths): Promise<EngineState | undefined> {
  const ours = readState(paths).engine;
  if (ours?.process !== undefined && isAlive(ours.process) && (await pingEngine(ours.host)).ok) {
    say(`  Docker engine: private, already running (${ours.host})`);
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
      `no permission to use the Docker engine at ${SYSTEM_HOST}. Join its group (sudo usermod -aG docker $USER, then log in again), or point DOCKER_HOST at another one.`,
    );
  }
  return undefined;
}

function useSystem(): EngineState {
  say(`  Docker engine: the system's (${SYSTEM_HOST})`);
  return { host: SYSTEM_HOST };
}

/** Where an init system runs, the package starts a service of its own, which is then used. */
async function systemStarted(): Promise<boolean> {
  if (!existsSync('/run/systemd/system')) return false;
  const ready = () => pingEngine(SYSTEM_HOST).then(({ ok }) => ok || undefined);
  return (await poll(ready, { timeoutMs: SYSTEM_START_MS, everyMs: 200 })) === true;
}

async function startPrivate(dockerd: string, paths: Paths): Promise<EngineState> {
  const run = join(paths.run, 'docker');
  const host = `unix://${join(run, 'docker.sock')}`;
  const pidFile = join(run, 'pid');
  // A pid file left by a power loss: dockerd refuses to start when any process has that pid now.
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
        // The same driver on every host: the group above all sandboxes is created directly in the kernel's tree.
        '--exec-opt=native.cgroupdriver=cgroupfs',
        `--data-root=${paths.dockerData}`,
        `--exec-root=${join(run, 'exec')}`,
        `--host=${host}`,
        `--pidfile=${pidFile}`,
        // Sandboxes have no network, and image builds use the host's, so that the machine's network setup stays as it is.
        '--bridge=none',
        '--iptables=false',
        '--ip6tables=false',
        '--ip-masq=false',
        '--log-level=warn',
      ],
      env: process.env,
      // A container's shim logs several such lines a run, whatever dockerd's log level.
      dropLines: 'level=info',
      ready: async () => ((await pingEngine(host)).ok ? host : undefined),
      timeoutMs: START_TIMEOUT_MS,
    });
    const cgroupParent = makeGroup(paths.state);
    return { host, process: ref, ...(cgroupParent === undefined ? {} : { cgroupParent }) };
  });
}

/** Stops a private engine and removes its leftover mounts. Other engines are not touched. */
export async function stopEngine(engine: EngineState, paths: Paths): Promise<void> {
  if (engine.process === undefined) return;
  await stop(engine.process, { graceMs: STOP_GRACE_MS });
  if (engine.cgroupParent !== undefined) removeGroup(paths.state);
  const namespaces = join(paths.run, 'docker', 'exec', 'netns', 'default');
  // dockerd may leave its mount of the host's namespace, and a folder with a mount cannot be removed.
  if (!readFileSync('/proc/self/mounts', 'utf8').includes(` ${namespaces} `)) return;
  await runLogged(['umount', '--lazy', namespaces], { paths, log: 'umount' }).catch((error: unknown) =>
    say(`  ${String(error)}`),
  );
}
