// The Docker engine: creates, attaches and starts hardened containers; finds and removes orphaned ones.
import { randomBytes } from 'node:crypto';
import { steadyNowMs } from '@rungrid/kit/clock';
import { ConfigError } from '@rungrid/kit/config';
import { LABEL_VALUE } from '@rungrid/sandbox/docker-body';
import { RUNSC_ARGS } from '@rungrid/sandbox/runtimes';
import { type Engine, EngineError, type SandboxSpec } from '../run/ports.js';
import { DockerApi, type EngineEvent, type ListedContainer } from './api.js';
import type { CgroupLayout } from './cgroup.js';
import { EngineEvents } from './events.js';
import { deadlineOf, warmName } from './names.js';
import { type DockerOptions, type ResolvedDockerOptions, resolveDockerOptions } from './options.js';
import { DockerSandbox } from './sandbox.js';
import { createBody } from './spec.js';
import { UidSlots } from './uids.js';

/** Concurrent removals in reap() and close(): more only makes each wait longer for the engine's locks. */
const REMOVALS_AT_ONCE = 4;

export class DockerEngine implements Engine {
  readonly name = 'docker';
  readonly #options: ResolvedDockerOptions;
  readonly #api: DockerApi;
  readonly #events: EngineEvents;
  readonly #uids: UidSlots;
  /** Live ones by container id. Bounded by the uid range. */
  readonly #sandboxes = new Map<string, DockerSandbox>();
  /** Names being created: not yet live, and no orphans either. */
  readonly #creating = new Set<string>();
  #ready: Promise<void> | undefined;
  #cgroups: CgroupLayout | undefined;
  #closed = false;

  /**
   * Connects on first use. Throws RangeError for options out of range. `onDisconnect`: the engine, or a proxy before it, ended the
   * event connection, which the first create() opens.
   */
  constructor(options: DockerOptions, hooks: { onDisconnect?: () => void } = {}) {
    this.#options = resolveDockerOptions(options);
    this.#api = new DockerApi(this.#options);
    this.#events = new EngineEvents(this.#api, {
      owner: this.#options.workerId,
      onEvent: (event: EngineEvent) => this.#sandboxes.get(event.containerId)?.onEvent(event),
      onLost: () => hooks.onDisconnect?.(),
    });
    const { uidBase: base, uidCount: count, uidLane: lane } = this.#options;
    this.#uids = new UidSlots({ base, count, lane });
  }

  async ping(options: { timeoutMs?: number } = {}): Promise<void> {
    await this.#api.ping(options);
  }

  async imageId(image: string): Promise<string | undefined> {
    return this.#api.imageId(image);
  }

  /** Rejects with ConfigError that says what to do when the engine does not know the runtime that is asked for. */
  async requireRuntime(): Promise<void> {
    const { runtime } = this.#options;
    const { runtimes } = await this.#api.info();
    if (runtime === undefined || runtimes.includes(runtime)) return;
    const known = runtimes.join(', ') || 'none';
    throw new ConfigError(
      `SANDBOX_RUNTIME=${runtime}: the Docker engine does not know it (it knows ${known}). ${howTo(runtime)} Or leave SANDBOX_RUNTIME out.`,
    );
  }

  async identity(): Promise<string> {
    return (await this.#api.info()).identity;
  }

  async create(spec: SandboxSpec): Promise<DockerSandbox> {
    await this.#open();
    const id = randomBytes(6).toString('hex');
    const name = warmName({ language: spec.language, id, deadlineMs: steadyNowMs() + this.#options.idleDeadlineMs });
    const uid = this.#uids.take();
    this.#creating.add(name);
    try {
      const containerId = await this.#api.create(name, createBody(spec, { uid, options: this.#options }));
      return await this.#start({ id, containerId, uid });
    } catch (error) {
      // By name: a call past its deadline may still have made the container.
      this.#abandon(name, uid);
      throw error;
    } finally {
      this.#creating.delete(name);
    }
  }

  async reap(isAlive: (workerId: string) => Promise<boolean>): Promise<number> {
    const nowMs = steadyNowMs();
    const owners = new Map<string, Promise<boolean>>();
    const orphans: ListedContainer[] = [];
    const listed = await this.#api.list();
    this.#keepClear(listed);
    for (const container of listed) {
      const deadlineMs = deadlineOf(container.name);
      const late = deadlineMs !== undefined && nowMs > deadlineMs;
      if (late || !(await this.#isOwned(container, { owners, isAlive }))) orphans.push(container);
    }
    await eachOf(orphans, async (orphan) => {
      const own = this.#sandboxes.get(orphan.id);
      await (own === undefined ? this.#api.remove(orphan.id) : own.destroy());
    });
    return orphans.length;
  }

  async close(): Promise<void> {
    this.#closed = true;
    try {
      await eachOf([...this.#sandboxes.values()], (sandbox) => sandbox.destroy());
    } finally {
      this.#events.close();
      this.#api.close();
    }
  }

  /** Reads the engine's properties once; a failure is retried by the next call. */
  async #open(): Promise<void> {
    if (this.#closed) throw new EngineError('the engine is closed', { retryable: false });
    this.#ready ??= this.#connect().catch((error: unknown) => {
      this.#ready = undefined;
      throw error;
    });
    await this.#ready;
  }

  async #connect(): Promise<void> {
    const { cgroupDriver, cgroupVersion } = await this.#api.info();
    this.#cgroups = {
      root: this.#options.cgroupRoot,
      version: cgroupVersion === '2' ? 2 : 1,
      driver: cgroupDriver === 'systemd' ? 'systemd' : 'cgroupfs',
      parent: this.#options.cgroupParent,
    };
    // A worker whose sandboxes exist already keeps its uids.
    this.#keepClear(await this.#api.list());
    await this.#events.open();
  }

  /** When two workers chose the same uids at the same moment, the one with the greater id moves, within one reap. */
  #keepClear(listed: readonly ListedContainer[]): void {
    // The self-test's engine has the worker's id, in a fleet of its own.
    const nameOf = ({ owner, fleet }: { owner: string; fleet: string }): string => `${owner} ${fleet}`;
    const own = nameOf({ owner: this.#options.workerId, fleet: this.#options.fleet });
    const settled = this.#sandboxes.size > 0;
    const others = listed.filter((each) => nameOf(each) !== own && Number.isInteger(each.uid));
    this.#uids.meet(others.map((each) => ({ uid: each.uid, yields: settled && nameOf(each) > own })));
  }

  async #start(container: { id: string; containerId: string; uid: number }): Promise<DockerSandbox> {
    const { id, containerId, uid } = container;
    // Before the start, so that no byte of either direction is lost.
    const socket = await this.#api.attach(containerId);
    const sandbox = new DockerSandbox({
      id,
      containerId,
      socket,
      api: this.#api,
      cgroups: this.#cgroups,
      assignDelayMs: this.#options.assignDelayMs,
      onDestroyed: () => {
        this.#sandboxes.delete(containerId);
        this.#uids.release(uid);
      },
    });
    this.#sandboxes.set(containerId, sandbox);
    try {
      await this.#api.start(containerId);
    } catch (error) {
      socket.destroy();
      this.#sandboxes.delete(containerId);
      throw error;
    }
    if (!this.#closed) return sandbox;
    await sandbox.destroy();
    throw new EngineError('the engine is closed', { retryable: false });
  }

  /** Removes what a failed create may have left. A later reap() removes what this cannot: it is not live. */
  #abandon(name: string, uid: number): void {
    this.#api.remove(name).then(
      () => this.#uids.release(uid),
      () => this.#uids.release(uid),
    );
  }

  async #isOwned(
    container: ListedContainer,
    life: { owners: Map<string, Promise<boolean>>; isAlive: (workerId: string) => Promise<boolean> },
  ): Promise<boolean> {
    const { owner, id, name, fleet } = container;
    // Another installation's on the same engine: whether its owner lives is unknown here, so only its deadline counts.
    if (fleet !== this.#options.fleet) return true;
    // One with this worker's label that this instance did not make is from before a restart.
    if (owner === this.#options.workerId) return this.#sandboxes.has(id) || this.#creating.has(name.replace(/^\//, ''));
    if (!LABEL_VALUE.test(owner)) return false;
    const known = life.owners.get(owner) ?? life.isAlive(owner);
    life.owners.set(owner, known);
    return known;
  }
}

/** How to configure a runtime in the engine. */
function howTo(runtime: string): string {
  const entry =
    runtime === 'runsc' ? { path: '/usr/bin/runsc', runtimeArgs: RUNSC_ARGS } : { path: `/path/to/${runtime}` };
  const setting = JSON.stringify({ runtimes: { [runtime]: entry } });
  return `Install it, put ${setting} into the engine's daemon.json (/etc/docker/daemon.json), and have the engine read that again (SIGHUP to dockerd).`;
}

/** Runs `action` on all, a few at a time; rejects with the first failure once all were tried. */
async function eachOf<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const rest = items.values();
  const failures: unknown[] = [];
  const work = async (): Promise<void> => {
    for (const item of rest) await action(item).catch((error: unknown) => failures.push(error));
  };
  await Promise.all(Array.from({ length: REMOVALS_AT_ONCE }, work));
  if (failures.length > 0) throw failures[0];
}
