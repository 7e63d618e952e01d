// The heartbeat in Redis: announces this worker and reads which others are alive. An outage of Redis makes no worker count as dead.
import type { Keys } from '@rungrid/bus/keys';
import type { Redis } from '@rungrid/bus/connection';
import { announceWorker, HEARTBEAT_TTL_MS } from '@rungrid/bus/workers';
import type { WorkerInfo } from '@rungrid/proto/stream-entries';

export interface HeartbeatOptions {
  readonly redis: Redis;
  readonly keys: Keys;
  readonly workerId: string;
}

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #announced = false;
  #graceUntilMs = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** To be called every HEARTBEAT_MS. Rejects when Redis does. */
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
