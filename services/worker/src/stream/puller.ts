// Pulls the run requests of one language off its stream, only while the pool has capacity: pulling is the load balancing.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Keys, WORKER_GROUP } from '@rungrid/bus/keys';
import type { Logger } from '@rungrid/kit/logger';
import { connectRedis, type Redis } from '@rungrid/bus/connection';
import { parseRunRequest } from '@rungrid/proto/stream-entries';
import type { RequestHandler } from '../dispatch/ports.js';

/** How long one read blocks, ms: bounds how long a stop takes. */
const BLOCK_MS = 2_000;
/** Pause after a failed read, ms. */
const RETRY_MS = 500;
/** An entry that a worker read and did not claim within this time is orphaned, ms: far above the time of a claim. */
const ORPHANED_MS = 5_000;
/** How often orphaned entries are reclaimed, ms, and how many at once. */
const RECLAIM_MS = 5_000;
const RECLAIM_COUNT = 10;
/** Consumers that were idle for this long belong to dead workers and are deleted, ms. */
const DEAD_CONSUMER_MS = 3_600_000;

export interface PullerOptions {
  readonly language: string;
  readonly workerId: string;
  readonly redisUrl: string;
  /** For commands that do not block. */
  readonly redis: Redis;
  readonly keys: Keys;
  readonly logger: Logger;
  /** Settles when a run of the language could start. */
  readonly whenCapacity: (signal: AbortSignal) => Promise<void>;
  /** Whether the worker may take a request now. Otherwise a request that was read is returned to the queue for another worker. */
  readonly canServe: () => boolean;
  readonly handler: RequestHandler;
  /** An entry that is not a valid request was deleted. */
  readonly onBadEntry: () => void;
}

type Entry = [id: string, fields: string[] | null];
type Reply = [string, Entry[]][] | null;

export class Puller {
  readonly #options: PullerOptions;
  readonly #stop = new AbortController();
  readonly #blocking: Redis;
  readonly #queue: string;
  #loops: Promise<unknown> = Promise.resolve();

  constructor(options: PullerOptions) {
    this.#options = options;
    this.#queue = options.keys.queue(options.language);
    const { redisUrl: url, logger, language } = options;
    this.#blocking = connectRedis({ url, logger, name: `worker-pull-${language}`, blocking: true });
  }

  start(): void {
    this.#loops = Promise.all([this.#pull(), this.#reclaim()]);
  }

  /** Stops pulling. Entries that were read, or were in flight to this worker, are still dispatched. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#blocking.disconnect();
    await this.#loops;
    // Otherwise another worker reclaims the leftovers in a few seconds.
    if (this.#options.redis.status !== 'ready') return;
    try {
      const from = ['GROUP', WORKER_GROUP, this.#options.workerId, 'COUNT', RECLAIM_COUNT] as const;
      const reply: Reply = await this.#options.redis.xreadgroup(...from, 'STREAMS', this.#queue, '0');
      for (const entry of reply?.[0]?.[1] ?? []) this.#onEntry(entry);
    } catch (error) {
      this.#options.logger.warn(
        { err: error, language: this.#options.language },
        'pending entries left for other workers',
      );
    }
  }

  async #pull(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await this.#options.whenCapacity(signal);
        const reply: Reply = await this.#blocking.xreadgroup(
          'GROUP',
          WORKER_GROUP,
          this.#options.workerId,
          'COUNT',
          1,
          'BLOCK',
          BLOCK_MS,
          'STREAMS',
          this.#queue,
          '>',
        );
        for (const entry of reply?.[0]?.[1] ?? []) this.#onEntry(entry);
      } catch (error) {
        await this.#onFailed(error);
      }
    }
  }

  async #reclaim(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#options.canServe()) await this.#reclaimOnce();
      } catch (error) {
        await this.#onFailed(error);
      }
      await pause(RECLAIM_MS, signal);
    }
  }

  async #reclaimOnce(): Promise<void> {
    const { redis, workerId } = this.#options;
    const reply = (await redis.xautoclaim(
      this.#queue,
      WORKER_GROUP,
      workerId,
      ORPHANED_MS,
      '0',
      'COUNT',
      RECLAIM_COUNT,
    )) as [string, Entry[]];
    for (const entry of reply[1]) this.#onEntry(entry, await this.#deliveries(entry[0]));
    await this.#forgetDeadConsumers();
  }

  async #deliveries(entryId: string): Promise<number> {
    const pending = await this.#options.redis.xpending(this.#queue, WORKER_GROUP, entryId, entryId, 1);
    const [first] = pending as [id: string, consumer: string, idleMs: number, deliveries: number][];
    return first?.[3] ?? 1;
  }

  async #forgetDeadConsumers(): Promise<void> {
    const { redis } = this.#options;
    const consumers = (await redis.xinfo('CONSUMERS', this.#queue, WORKER_GROUP)) as (string | number)[][];
    for (const fields of consumers) {
      const field = (name: string) => fields[fields.indexOf(name) + 1];
      if (field('pending') === 0 && Number(field('idle')) > DEAD_CONSUMER_MS) {
        await redis.xgroup('DELCONSUMER', this.#queue, WORKER_GROUP, String(field('name')));
      }
    }
  }

  #onEntry([id, fields]: Entry, deliveries = 1): void {
    if (!this.#options.canServe()) return this.#returnToQueue(id, deliveries);
    const text = fields?.[fields.indexOf('request') + 1];
    const request = text === undefined ? undefined : parseRunRequest(text);
    if (request !== undefined && request.language === this.#options.language)
      return this.#options.handler.take(request, { entryId: id, deliveries });
    this.#options.onBadEntry();
    const drop = this.#options.redis.multi().xack(this.#queue, WORKER_GROUP, id).xdel(this.#queue, id).exec();
    drop.catch((error: unknown) => this.#options.logger.warn({ err: error }, 'bad queue entry not deleted'));
  }

  /** Marks it as orphaned and undelivered, so that the next worker that reclaims takes it. */
  #returnToQueue(id: string, deliveries: number): void {
    const { redis, workerId, logger } = this.#options;
    const as = ['IDLE', ORPHANED_MS, 'RETRYCOUNT', deliveries - 1, 'JUSTID'] as const;
    redis
      .xclaim(this.#queue, WORKER_GROUP, workerId, 0, id, ...as)
      .catch((error: unknown) => logger.warn({ err: error }, 'queue entry not returned'));
  }

  async #createGroup(): Promise<void> {
    try {
      await this.#options.redis.xgroup('CREATE', this.#queue, WORKER_GROUP, '0', 'MKSTREAM');
    } catch (error) {
      // Another worker created it first.
      if (String(error).includes('BUSYGROUP')) return;
      this.#options.logger.warn({ err: error }, 'consumer group creation failed');
      await pause(RETRY_MS, this.#stop.signal);
    }
  }

  async #onFailed(error: unknown): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    const message = error instanceof Error ? error.message : String(error);
    if (message.startsWith('NOGROUP')) {
      // Redis lost its data and the group with it: create it from the stream's start, so that no entry is skipped.
      return this.#createGroup();
    }
    this.#options.logger.warn({ err: message, language: this.#options.language }, 'pull failed');
    await pause(RETRY_MS, signal);
  }
}

/** Waits, at most until the signal aborts. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
