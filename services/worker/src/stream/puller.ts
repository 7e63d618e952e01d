// Pulls run requests of one language off its stream, only while a sandbox can be had for them: pull is the load balancing.
import { setTimeout as sleep } from 'node:timers/promises';
import { type Keys, WORKER_GROUP } from '@rungrid/bus/keys';
import type { Logger } from '@rungrid/kit/logger';
import { connectRedis, type Redis } from '@rungrid/bus/connection';
import { parseRunRequest, type RunRequest } from '@rungrid/proto/stream-entries';

/** How long one read blocks, ms: bounds how long a stop takes. */
const BLOCK_MS = 2_000;
/** Pause after a failed read, ms. */
const RETRY_MS = 500;
/** An entry that a worker read and did not claim for so long is taken over, ms: far above what a claim takes. */
const ABANDONED_MS = 5_000;
/** How often abandoned entries are looked for, ms, and how many at once. */
const RECLAIM_MS = 5_000;
const RECLAIM_COUNT = 10;
/** Consumers of workers that are gone for so long are forgotten, ms. */
const DEAD_CONSUMER_MS = 3_600_000;

export interface PullerOptions {
  readonly language: string;
  readonly workerId: string;
  readonly redisUrl: string;
  /** For what does not block. */
  readonly redis: Redis;
  readonly keys: Keys;
  readonly logger: Logger;
  /** Settles when a run of the language could start now. */
  readonly whenCapacity: (signal: AbortSignal) => Promise<void>;
  /** Whether the worker may take a request now. When not, one that it has read goes back to the queue for another. */
  readonly canServe: () => boolean;
  /** Takes a request. Must not throw. `deliveries`: to how many workers it came, this one included. */
  readonly onRequest: (request: RunRequest, from: { readonly entryId: string; readonly deliveries: number }) => void;
  /** An entry that is not a request; it is gone from the stream. */
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

  /** Stops pulling. What was read already, or was on its way here, is still handed on. */
  async stop(): Promise<void> {
    this.#stop.abort();
    this.#blocking.disconnect();
    await this.#loops;
    // Another worker finds what is left here in a few seconds; nobody waits for a Redis that is away.
    if (this.#options.redis.status !== 'ready') return;
    try {
      const from = ['GROUP', WORKER_GROUP, this.#options.workerId, 'COUNT', RECLAIM_COUNT] as const;
      const reply: Reply = await this.#options.redis.xreadgroup(...from, 'STREAMS', this.#queue, '0');
      for (const entry of reply?.[0]?.[1] ?? []) this.#onEntry(entry);
    } catch (error) {
      this.#options.logger.warn({ err: error, language: this.#options.language }, 'what was on its way is left behind');
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
        await this.#onFault(error);
      }
    }
  }

  async #reclaim(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        if (this.#options.canServe()) await this.#reclaimOnce();
      } catch (error) {
        await this.#onFault(error);
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
      ABANDONED_MS,
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
    if (!this.#options.canServe()) return this.#giveBack(id, deliveries);
    const text = fields?.[fields.indexOf('request') + 1];
    const request = text === undefined ? undefined : parseRunRequest(text);
    if (request !== undefined && request.language === this.#options.language)
      return this.#options.onRequest(request, { entryId: id, deliveries });
    this.#options.onBadEntry();
    const drop = this.#options.redis.multi().xack(this.#queue, WORKER_GROUP, id).xdel(this.#queue, id).exec();
    drop.catch((error: unknown) => this.#options.logger.warn({ err: error }, 'a bad queue entry could not be dropped'));
  }

  /** Pending as if abandoned long ago, and as if it had never come here: whoever looks for such next takes it. */
  #giveBack(id: string, deliveries: number): void {
    const { redis, workerId, logger } = this.#options;
    const as = ['IDLE', ABANDONED_MS, 'RETRYCOUNT', deliveries - 1, 'JUSTID'] as const;
    redis
      .xclaim(this.#queue, WORKER_GROUP, workerId, 0, id, ...as)
      .catch((error: unknown) => logger.warn({ err: error }, 'a queue entry could not be given back yet'));
  }

  async #createGroup(): Promise<void> {
    try {
      await this.#options.redis.xgroup('CREATE', this.#queue, WORKER_GROUP, '0', 'MKSTREAM');
    } catch (error) {
      // Another worker was faster.
      if (String(error).includes('BUSYGROUP')) return;
      this.#options.logger.warn({ err: error }, 'the consumer group cannot be made');
      await pause(RETRY_MS, this.#stop.signal);
    }
  }

  async #onFault(error: unknown): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted) return;
    const message = error instanceof Error ? error.message : String(error);
    if (message.startsWith('NOGROUP')) {
      // The group goes with Redis's data: it is made again, from the stream's start, so that nothing queued is skipped.
      return this.#createGroup();
    }
    this.#options.logger.warn({ err: message, language: this.#options.language }, 'pull failed');
    await pause(RETRY_MS, signal);
  }
}

/** Waits, or less when the signal comes. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}
