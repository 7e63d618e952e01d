// Watches what an attack costs others while it goes on: memory of our services and of the engine, disk, the machine's memory.
import { bytesIn, enginePids, type Trace } from '../testkit/outside.js';
import { rssOf } from '../testkit/service-process.js';
import type { Stack } from '../testkit/stack.js';
import { availableBytes } from './host.js';

const EVERY_MS = 50;
/** The disk is walked less often than memory is read. */
const DISK_EVERY = 6;

export class Watch {
  readonly #pids: readonly number[];
  readonly #traces: readonly Trace[];
  readonly #timer: NodeJS.Timeout;
  readonly #before: Readonly<Record<'rss' | 'disk' | 'available', number>>;
  #peakRss: number;
  #peakDisk: number;
  #leastAvailable: number;
  #ticks = 0;

  constructor(stack: Stack, traces: readonly Trace[]) {
    this.#pids = [stack.gateway.process.pid, stack.worker.process.pid, ...enginePids()];
    this.#traces = traces;
    this.#before = { rss: this.#rss(), disk: this.#disk(), available: availableBytes() };
    [this.#peakRss, this.#peakDisk, this.#leastAvailable] = [
      this.#before.rss,
      this.#before.disk,
      this.#before.available,
    ];
    this.#timer = setInterval(() => this.#look(), EVERY_MS);
  }

  /** Resident memory of gateway, worker and engine, at its peak over what it was, bytes. */
  get growthBytes(): number {
    return this.#peakRss - this.#before.rss;
  }
  /** What the sandboxes' own folders on the engine's disk grew by, bytes. */
  get diskBytes(): number {
    return this.#peakDisk - this.#before.disk;
  }
  /** What the whole machine has less than before, at worst, bytes: memory that no control group is charged for shows only here. */
  get hostBytes(): number {
    return this.#before.available - this.#leastAvailable;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    this.#peakRss = Math.max(this.#peakRss, this.#rss());
    this.#leastAvailable = Math.min(this.#leastAvailable, availableBytes());
    if (this.#ticks++ % DISK_EVERY === 0) this.#peakDisk = Math.max(this.#peakDisk, this.#disk());
  }

  #rss(): number {
    return this.#pids.reduce((sum, pid) => sum + rssOf(pid), 0);
  }

  #disk(): number {
    return bytesIn(this.#traces.flatMap((trace) => trace.folders));
  }
}
