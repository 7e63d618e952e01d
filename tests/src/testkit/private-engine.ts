// A Docker engine of a test's own, with images of the tests' engine: it can be killed, held and started again, and leaves nothing.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { dockerAt } from './docker.js';
import { ServiceProcess } from './service-process.js';
import { until } from '@rungrid/testkit/until';

/** It sets its data folder up at the first start, and looks after what a killed one left at the next, ms. */
const START_MS = 30_000;
/** It ends its containers first, ms. */
const STOP_MS = 20_000;

export class PrivateEngine {
  readonly host: string;
  readonly #folder: string;
  readonly #docker: Docker;
  /** Apart from dockerd, as where an init system starts both: it stays when that is killed. */
  readonly #containerd: ServiceProcess;
  #dockerd: ServiceProcess;

  private constructor(folder: string) {
    this.#folder = folder;
    this.host = `unix://${join(folder, 'docker.sock')}`;
    this.#docker = dockerAt(this.host);
    writeFileSync(join(folder, 'daemon.json'), '{}');
    writeFileSync(join(folder, 'containerd.toml'), containerdSettings(folder));
    this.#containerd = new ServiceProcess(['containerd', `--config=${join(folder, 'containerd.toml')}`], {
      name: 'private containerd',
      env: {},
    });
    this.#dockerd = this.#spawn();
  }

  /** Starts one that has these images of the tests' engine. */
  static async start(images: readonly string[]): Promise<PrivateEngine> {
    const engine = new PrivateEngine(mkdtempSync(join(tmpdir(), 'rungrid-engine-')));
    try {
      await engine.#answers();
      for (const image of images) await engine.#take(image);
    } catch (error) {
      // What it says of itself explains less than why it did not start.
      await engine.close().catch(() => undefined);
      throw error;
    }
    return engine;
  }

  /** Ends it with SIGKILL; what it had running is left to itself. */
  async kill(): Promise<void> {
    this.#dockerd.signal('SIGKILL');
    await this.#dockerd.exited;
  }

  /** Starts it again after a kill. */
  async revive(): Promise<void> {
    // It would refuse to start when another process has that number now.
    rmSync(join(this.#folder, 'pid'), { force: true });
    this.#dockerd = this.#spawn();
    await this.#answers();
  }

  /** Ends it as an operator does, and starts it again. */
  async restart(): Promise<void> {
    await this.#dockerd.stop(STOP_MS);
    await this.revive();
  }

  /** It hangs: connections stay and are taken, nothing is answered. */
  hang(): void {
    this.#dockerd.signal('SIGSTOP');
  }

  goOn(): void {
    this.#dockerd.signal('SIGCONT');
  }

  /** Ids of all containers that it knows, whatever they are for and whatever their state. */
  async containers(): Promise<string[]> {
    return (await this.#docker.listContainers({ all: true })).map(({ Id }) => Id);
  }

  /** Ends it and all that it left. Rejects, naming what there was to be ended. */
  async close(): Promise<void> {
    const left = await this.#lastContainers().catch((error: unknown) => [String(error)]);
    await this.#dockerd.stop(STOP_MS);
    await this.#containerd.stop(STOP_MS);
    const faults = [...left, ...(await endAll(this.#folder))];
    unmountAll(this.#folder);
    rmSync(this.#folder, { recursive: true, force: true });
    if (faults.length > 0) throw new Error(`left on the private engine: ${faults.join('; ')}`);
  }

  /** What is there that should not be; it goes with the engine. */
  async #lastContainers(): Promise<string[]> {
    this.goOn();
    // Only one that runs can end the containers of one that was killed.
    if (this.#dockerd.exit !== undefined) await this.revive();
    return (await this.containers()).map((id) => `container ${id}`);
  }

  #spawn(): ServiceProcess {
    const within = (name: string): string => join(this.#folder, name);
    return new ServiceProcess(
      [
        'dockerd',
        `--config-file=${within('daemon.json')}`,
        '--exec-opt=native.cgroupdriver=cgroupfs',
        `--data-root=${within('data')}`,
        `--exec-root=${within('exec')}`,
        `--host=${this.host}`,
        `--containerd=${containerdSocket(this.#folder)}`,
        `--pidfile=${within('pid')}`,
        // Nothing of the machine's network setup is touched.
        '--bridge=none',
        '--iptables=false',
        '--ip6tables=false',
        '--ip-masq=false',
        '--log-level=warn',
      ],
      { name: 'private dockerd', env: {} },
    );
  }

  async #answers(): Promise<void> {
    const answers = () =>
      this.#docker.ping().then(
        () => true,
        () => this.#dockerd.exit !== undefined,
      );
    await until(answers, {
      what: () => `the private engine to answer; its log:\n${this.#dockerd.log}\n${this.#containerd.log}`,
      timeoutMs: START_MS,
      everyMs: 50,
    });
    if (this.#dockerd.exit !== undefined) throw new Error(`the private engine ended:\n${this.#dockerd.log}`);
  }

  /** Copies an image over: its id is that of its content, so it stays the same. */
  async #take(image: string): Promise<void> {
    const progress = await this.#docker.loadImage(await dockerAt().getImage(image).get());
    await new Promise<void>((resolve, reject) => {
      this.#docker.modem.followProgress(progress, (error) => (error ? reject(error) : resolve()));
    });
    await this.#docker.getImage(image).inspect();
  }
}

function containerdSocket(folder: string): string {
  return join(folder, 'containerd.sock');
}

function containerdSettings(folder: string): string {
  return [
    'version = 2',
    `root = "${join(folder, 'containerd-data')}"`,
    `state = "${join(folder, 'containerd-state')}"`,
    'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
    '[debug]',
    '  level = "warn"',
    '[grpc]',
    `  address = "${containerdSocket(folder)}"`,
    '',
  ].join('\n');
}

/** Ends processes that were started with this folder and are still there, such as the shims of containers. Says which there were. */
async function endAll(folder: string): Promise<string[]> {
  const found: string[] = [];
  const ended = until(() => processesIn(folder).length === 0, { what: 'its processes to end', timeoutMs: 5_000 });
  await ended.catch(() => {
    for (const pid of processesIn(folder)) {
      found.push(`process ${pid} (${commandOf(pid).slice(0, 200)}), which has ${childrenOf(pid)}`);
      process.kill(pid, 'SIGKILL');
    }
  });
  return found;
}

function processesIn(folder: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => commandOf(pid).includes(`${folder}/`));
}

/** Commands of what it has started, and of what was left to it. */
function childrenOf(pid: number): string {
  const pids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  return pids[0] === '' ? 'no children' : `the children ${pids.map((child) => commandOf(Number(child))).join('; ')}`;
}

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
}

/** Undoes what is mounted below a folder, the innermost first: a folder with a mount cannot be removed. */
function unmountAll(folder: string): void {
  const points = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((point) => point.startsWith(`${folder}/`));
  for (const point of points.toReversed()) execFileSync('umount', ['--lazy', point]);
}
