// One container as a Sandbox: its hijacked stream, its counters, its end.
import type { Socket } from 'node:net';
import { EngineError, type Sandbox, type SandboxExit, type SandboxListener, type SandboxUsage } from '../run/ports.js';
import type { DockerApi, EngineEvent } from './api.js';
import { type CgroupLayout, CgroupReader, processCount } from './cgroup.js';
import { StdcopyDemuxer } from './demux.js';
import { runName } from './names.js';
import { usageFromStats } from './stats.js';

/** Output kept until there is a listener; past it the socket is not read, so the program blocks. */
const EARLY_BYTES = 65_536;
/** How long the sandbox waits for the engine's `die` event after its stream ended, before it polls, ms: the event usually comes first. */
const DIE_EVENT_MS = 1000;
/** Exit status of a PID 1 that died of SIGKILL. */
const KILLED = 137;
/** How long a SIGKILL of unknown origin waits for the engine's `oom` event, ms: the engine may send it after `die`. */
const LATE_OOM_MS = 150;
/** More processes than this are killed with the CPU quota lifted: a warm interpreter with its threads and a few children has fewer. */
const CROWD = 10;

interface DockerSandboxParts {
  readonly id: string;
  readonly containerId: string;
  readonly socket: Socket;
  readonly api: DockerApi;
  /** Undefined where control groups are not readable. */
  readonly cgroups: CgroupLayout | undefined;
  readonly assignDelayMs: number;
  /** Called once the container is removed. */
  readonly onDestroyed: () => void;
}

export class DockerSandbox implements Sandbox {
  readonly id: string;
  readonly containerId: string;
  readonly exited: Promise<SandboxExit>;

  readonly #parts: DockerSandboxParts;
  readonly #socket: Socket;
  readonly #demuxer: StdcopyDemuxer;
  #listener: SandboxListener | undefined;
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #ended = false;
  #settleExit!: (exit: SandboxExit) => void;
  #exitTimer: NodeJS.Timeout | undefined;
  #exiting = false;
  #dieStatus: { status: number | undefined } | undefined;
  #oom = false;
  #onLateOom: (() => void) | undefined;
  /** null: tried, not readable. */
  #cgroup: CgroupReader | null | undefined;
  #assignTimer: NodeJS.Timeout | undefined;
  #destroying: Promise<void> | undefined;
  #destroyed = false;

  constructor(parts: DockerSandboxParts) {
    this.#parts = parts;
    this.id = parts.id;
    this.containerId = parts.containerId;
    this.#socket = parts.socket;
    this.exited = new Promise((resolve) => {
      this.#settleExit = resolve;
    });
    this.#demuxer = new StdcopyDemuxer((payload) => this.#deliver(payload));
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk: Buffer) => {
      if (!this.#demuxer.push(chunk)) this.#socket.destroy();
    });
    this.#socket.on('error', () => this.#socket.destroy());
    this.#socket.once('end', () => this.#end());
    this.#socket.once('close', () => this.#end());
  }

  write(bytes: Uint8Array): void {
    if (!this.#ended && this.#socket.writable) this.#socket.write(bytes);
  }

  listen(listener: SandboxListener): void {
    this.#listener = listener;
    const early = this.#early;
    if (early.length > 0) {
      this.#early = [];
      this.#earlyBytes = 0;
      for (const chunk of early) listener.data(chunk);
      this.#socket.resume();
    }
    if (this.#ended) listener.end();
  }

  /** Ignored while it is being destroyed: the engine waits seconds for an unread stream. */
  pause(): void {
    if (this.#destroying === undefined) this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  usage(): SandboxUsage | undefined {
    if (this.#destroyed) return undefined;
    const { cgroups, containerId } = this.#parts;
    if (this.#cgroup === undefined) this.#cgroup = (cgroups && CgroupReader.open(cgroups, containerId)) ?? null;
    const usage = this.#cgroup?.read();
    if (usage !== undefined && usage.oomKills > 0) this.#oom = true;
    return usage;
  }

  async finalUsage(): Promise<SandboxUsage | undefined> {
    const usage = this.usage();
    if (usage !== undefined || this.#destroyed) return usage;
    try {
      return usageFromStats(await this.#parts.api.stats(this.containerId), { oom: this.#oom });
    } catch (error) {
      if (error instanceof EngineError) return undefined;
      throw error;
    }
  }

  assign(run: { runId: string; deadlineMs: number }): void {
    if (this.#destroying !== undefined) return;
    clearTimeout(this.#assignTimer);
    this.#assignTimer = setTimeout(() => {
      // A failure leaves the older, later deadline in place, and the worker's own timers.
      this.#parts.api.rename(this.containerId, runName(run)).catch(() => undefined);
    }, this.#parts.assignDelayMs);
    this.#assignTimer.unref();
  }

  destroy(): Promise<void> {
    this.#destroying ??= this.#destroy().catch((error: unknown) => {
      // Another call may try again.
      this.#destroying = undefined;
      throw error;
    });
    return this.#destroying;
  }

  /** Takes an event of the engine about this container. */
  onEvent(event: EngineEvent): void {
    if (event.action === 'oom') {
      this.#oom = true;
      this.#onLateOom?.();
    }
    if (event.action === 'die') {
      this.#dieStatus = { status: event.exitCode };
      if (this.#ended) this.#exit(event.exitCode);
    }
  }

  async #destroy(): Promise<void> {
    clearTimeout(this.#assignTimer);
    const removed = this.#remove();
    // Output is read and dropped meanwhile: the engine waits seconds for a full, unread stream before it removes a container.
    this.#early = [];
    this.#listener = { data: () => undefined, end: this.#listener?.end.bind(this.#listener) ?? (() => undefined) };
    this.#socket.resume();
    await removed;
    this.#destroyed = true;
    this.#cgroup?.close();
    this.#socket.destroy();
    this.#parts.onDestroyed();
  }

  /**
   * Killed processes need CPU to die, and PID 1 is first: among dozens of runnable processes it may wait seconds for its turn in a
   * quota of 0.2 CPU. An engine changes no quota of a container that it is removing, so the kill comes before the removal.
   */
  async #remove(): Promise<void> {
    const { api, cgroups } = this.#parts;
    const count = cgroups && processCount(cgroups, this.containerId);
    // Out of memory, a few processes die as slowly: the kernel is busy reclaiming memory for them.
    if (count !== undefined && count > (this.#oom ? 1 : CROWD)) await api.killFast(this.containerId);
    await api.remove(this.containerId);
  }

  #deliver(payload: Buffer): void {
    if (this.#listener !== undefined) {
      this.#listener.data(payload);
      return;
    }
    this.#early.push(Buffer.from(payload));
    this.#earlyBytes += payload.length;
    if (this.#earlyBytes >= EARLY_BYTES) this.#socket.pause();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#listener?.end();
    if (this.#dieStatus !== undefined) this.#exit(this.#dieStatus.status);
    else this.#exitTimer = setTimeout(() => void this.#askExit(), DIE_EVENT_MS);
  }

  async #askExit(): Promise<void> {
    try {
      const state = await this.#parts.api.exitState(this.containerId);
      if (state?.oom) this.#oom = true;
      this.#exit(state?.status);
    } catch (error) {
      this.#exit(undefined);
      if (!(error instanceof EngineError)) throw error;
    }
  }

  #exit(status: number | undefined): void {
    if (this.#exiting) return;
    this.#exiting = true;
    clearTimeout(this.#exitTimer);
    // The kernel's own counter, as long as the group exists.
    this.usage();
    const settle = (): void => {
      clearTimeout(this.#exitTimer);
      this.#settleExit({ oom: this.#oom, status });
    };
    if (status !== KILLED || this.#oom || this.#destroying !== undefined) return settle();
    this.#onLateOom = settle;
    this.#exitTimer = setTimeout(settle, LATE_OOM_MS);
  }
}
