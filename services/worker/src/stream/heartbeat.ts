// The heartbeat in Redis: announces this worker and reads which others are alive. An outage of Redis makes no worker count as dead.
import type { Keys } from '@rungrid/bus/keys';
import type { Redis } from '@rungrid/bus/connection';
import { announceWorker, HEARTBEAT_MS, HEARTBEAT_TTL_MS, retractWorker } from '@rungrid/bus/workers';
import type { Lifecycle } from '@rungrid/kit/lifecycle';
import type { Logger } from '@rungrid/kit/logger';
import type { WorkerInfo } from '@rungrid/proto/stream-entries';
import { every } from '../timers.js';

export interface HeartbeatOptions {
  readonly redis: Redis;
  readonly keys: Keys;
  readonly logger: Logger;
  readonly workerId: string;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #announced = false;
  #graceUntilMs = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Announces now, and again until `lifecycle` closes, which retracts it. Rejects when Redis does. */
  async start(lifecycle: Lifecycle, info: () => WorkerInfo): Promise<void> {
    const { redis, keys, workerId } = this.#options;
    await this.announce(info());
    lifecycle.own('announcement', () => retractWorker(redis, keys, workerId));
    every(lifecycle, { name: 'heartbeat', ms: HEARTBEAT_MS }, () => void this.beat(info()));
  }

  /** Announces. Never rejects. */
  async beat(info: WorkerInfo): Promise<void> {
    await this.announce(info).catch((error: unknown) => this.#options.logger.warn({ err: error }, 'heartbeat failed'));
  }

  /** Rejects when Redis does. */
  async announce(info: WorkerInfo): Promise<void> {
    const held = await announceWorker(this.#options.redis, this.#options.keys, info);
    // Redis lost this worker's heartbeat, and so perhaps those of the others: give them one TTL to announce themselves again.
    if (this.#announced && !held) this.#graceUntilMs = performance.now() + HEARTBEAT_TTL_MS;
    this.#announced = true;
  }

  /** False for a worker without a heartbeat, while this one's arrives: its sandboxes are orphaned. */
  async isAlive(workerId: string): Promise<boolean> {
    const { redis, keys, workerId: ownId } = this.#options;
    const own = await redis.exists(keys.worker(ownId));
    const alive = (await redis.exists(keys.worker(workerId))) === 1;
    return alive || own === 0 || performance.now() < this.#graceUntilMs;
  }
}
