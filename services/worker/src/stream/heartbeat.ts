// Says in Redis that this worker lives, and reads who else does: nobody counts as dead because Redis was away or has lost its data.
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
  #doubtUntilMs = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** To be called every HEARTBEAT_MS. Rejects when Redis does. */
  async announce(info: WorkerInfo): Promise<void> {
    const held = await announceWorker(this.#options.redis, this.#options.keys, info);
    // What happened to this one's word happened to that of the others: they have as long to say it again as it holds.
    if (this.#announced && !held) this.#doubtUntilMs = performance.now() + HEARTBEAT_TTL_MS;
    this.#announced = true;
  }

  /** False for a worker that is silent while this one is heard. Its sandboxes are nobody's then. */
  async isAlive(workerId: string): Promise<boolean> {
    const { redis, keys, workerId: own } = this.#options;
    const heard = await redis.exists(keys.worker(own));
    const alive = (await redis.exists(keys.worker(workerId))) === 1;
    return alive || heard === 0 || performance.now() < this.#doubtUntilMs;
  }
}
