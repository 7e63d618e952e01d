// Reads the announced workers every second; while Redis fails, the last answer holds.
import type { Keys } from '@rungrid/bus/keys';
import type { Logger } from '@rungrid/kit/logger';
import type { Redis } from '@rungrid/bus/connection';
import { listWorkers } from '@rungrid/bus/workers';
import type { WorkerInfo } from '@rungrid/proto/stream-entries';

const REFRESH_MS = 1000;
/** A reading that takes longer: Redis is unavailable for runs, too, ms. */
const SLOW_MS = 1500;

export interface DirectoryOptions {
  readonly redis: Redis;
  readonly keys: Keys;
  readonly logger: Logger;
  readonly onWorkers: (workers: readonly WorkerInfo[]) => void;
}

export class WorkerDirectory {
  readonly #options: DirectoryOptions;
  #timer: NodeJS.Timeout | undefined;
  #readingSinceMs: number | undefined;

  constructor(options: DirectoryOptions) {
    this.#options = options;
  }

  /** Reads once, then every second. Rejects when the first reading fails. */
  async start(): Promise<void> {
    await this.#read();
    this.#timer = setInterval(() => void this.#refresh(), REFRESH_MS);
  }

  /** Whether Redis answers, as far as is known: a reading that takes long says that it does not. */
  get answered(): boolean {
    return this.#readingSinceMs === undefined || performance.now() - this.#readingSinceMs < SLOW_MS;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #refresh(): Promise<void> {
    if (this.#readingSinceMs !== undefined) return;
    this.#readingSinceMs = performance.now();
    try {
      await this.#read();
    } catch (error) {
      this.#options.logger.warn({ err: error instanceof Error ? error.message : 'unknown' }, 'worker list read failed');
    } finally {
      this.#readingSinceMs = undefined;
    }
  }

  async #read(): Promise<void> {
    this.#options.onWorkers(await listWorkers(this.#options.redis, this.#options.keys));
  }
}
