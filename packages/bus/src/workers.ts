// The workers' heartbeats in Redis: each announces itself under a TTL; gateways and workers list who is alive.
import { parseWorkerInfo, type WorkerInfo } from '@rungrid/proto/stream-entries';
import type { Keys } from './keys.js';
import { luaScript } from './lua-script.js';
import type { Redis } from './connection.js';

/** Heartbeat period, and how long one lasts, ms: two may be lost. */
export const HEARTBEAT_MS = 2_000;
export const HEARTBEAT_TTL_MS = 7_000;
const ANNOUNCE = luaScript('announce-worker');

/** Sends a heartbeat with what the worker offers. Returns whether the previous one still lasted: false at first, and after an outage. */
export async function announceWorker(redis: Redis, keys: Keys, info: WorkerInfo): Promise<boolean> {
  const given = [JSON.stringify(info), HEARTBEAT_TTL_MS, info.id];
  return (await redis.eval(ANNOUNCE, 2, keys.worker(info.id), keys.workers, ...given)) === 1;
}

/** Removes the announcement. */
export async function retractWorker(redis: Redis, keys: Keys, workerId: string): Promise<void> {
  await redis.multi().del(keys.worker(workerId)).srem(keys.workers, workerId).exec();
}

/** Who is alive. Forgets the ids of those that are not. */
export async function listWorkers(redis: Redis, keys: Keys): Promise<WorkerInfo[]> {
  const ids = await redis.smembers(keys.workers);
  if (ids.length === 0) return [];
  const texts = await redis.mget(ids.map((id) => keys.worker(id)));
  const expired = ids.filter((_, index) => texts[index] === null);
  if (expired.length > 0) await redis.srem(keys.workers, ...expired);
  return texts.flatMap((text) => {
    const info = text === null ? undefined : parseWorkerInfo(text);
    return info === undefined ? [] : [info];
  });
}
