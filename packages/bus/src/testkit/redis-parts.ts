// What a gateway and a worker do with Redis, on connections of their own: for tests that ask it of every topology.
import type { WorkerInfo } from '@rungrid/proto/stream-entries';
import { createKeys, WORKER_GROUP } from '../keys.js';
import { createLogger } from '@rungrid/kit/logger';
import { RunClaims } from '../run-claims.js';
import { RunQueue, type SubmitResult } from '../run-queue.js';
import { connectRedis, type Redis } from '../connection.js';
import type { Topology } from './redis-topologies.js';
import { until } from '@rungrid/testkit/until';

/** RUNGRID_PREFIX of these tests. */
export const PREFIX = 'test';
export const keys = createKeys(PREFIX);
export const LANGUAGE = 'python';
const GATEWAY = 'gateway-1';
/** A worker's announcement. */
export const WORKER_INFO: WorkerInfo = {
  id: 'worker-0001',
  grpc: '127.0.0.1:1',
  metrics: 'http://127.0.0.1:2',
  pid: 1,
  draining: false,
  languages: [],
};
const WORKER = { workerId: 'worker-1', address: 'worker:1' };
const queue = keys.queue(LANGUAGE);
/** A failover takes up to 4 s, and other tests run beside. */
const WAIT_MS = 30_000;

const LIMITS = {
  rateLimit: 1000,
  rateWindowMs: 60_000,
  maxQueue: 100,
  maxWaitMs: 60_000,
  addressShare: 1,
  siteShare: 1,
  runTtlMs: 60_000,
};

export class RedisParts {
  /** The gateway's, for commands. */
  readonly gateway: Redis;
  readonly gatewayBlocking: Redis;
  /** A worker's, for commands. */
  readonly worker: Redis;
  readonly workerBlocking: Redis;
  readonly #ofGateway: RunQueue;
  readonly #ofWorker: RunClaims;
  #runs = 0;

  constructor(topology: Topology) {
    const logger = createLogger({ service: 'test', level: 'silent' });
    const connect = (user: 'gateway' | 'worker', blocking: boolean) =>
      connectRedis({ url: topology.urlOf(user), logger, name: 'test', blocking });
    this.gateway = connect('gateway', false);
    this.gatewayBlocking = connect('gateway', true);
    this.worker = connect('worker', false);
    this.workerBlocking = connect('worker', true);
    this.#ofGateway = new RunQueue(this.gateway, keys, LIMITS);
    this.#ofWorker = new RunClaims(this.worker, keys);
  }

  close(): void {
    for (const redis of [this.gateway, this.gatewayBlocking, this.worker, this.workerBlocking]) redis.disconnect();
  }

  /** A new run, unless `runId` is given. */
  async submit(runId = `run-${(this.#runs += 1)}`): Promise<{ runId: string; result: SubmitResult }> {
    const result = await this.#ofGateway.submit({
      runId,
      language: LANGUAGE,
      request: runId,
      nonceKey: `nonce-${runId}`,
      nonceTtlMs: 60_000,
      addressHash: 'address',
      siteHash: 'site',
    });
    return { runId, result };
  }

  cancel(runId: string): Promise<boolean> {
    return this.#ofGateway.cancel(runId, LANGUAGE);
  }

  claim(runId: string, entryId: string): Promise<number> {
    const run = { runId, entryId, language: LANGUAGE, gatewayId: GATEWAY };
    return this.#ofWorker.claim({ ...run, ...WORKER, notify: true, heldTtlMs: 60_000 });
  }

  notify(runId: string, epoch: number): Promise<void> {
    return this.#ofWorker.notify({ runId, epoch, gatewayId: GATEWAY, ...WORKER });
  }

  /** Who holds a run: its epoch. */
  async find(runId: string): Promise<number | undefined> {
    return (await this.#ofGateway.find(runId))?.epoch;
  }

  /** Queues a run again whose claim with this epoch is lost. */
  async requeue(runId: string, epoch: number): Promise<void> {
    await this.#ofGateway.requeue({ runId, language: LANGUAGE, request: runId }, epoch);
  }

  /** The group of all workers; from the stream's start, so that nothing queued is skipped. */
  async createGroup(): Promise<void> {
    await this.worker.xgroup('CREATE', queue, WORKER_GROUP, '0', 'MKSTREAM');
  }

  /** One blocking read of the queue, 500 ms at most: an entry's id and request. Rejects when Redis does. */
  async read(): Promise<[entryId: string, runId: string] | undefined> {
    const group = ['GROUP', WORKER_GROUP, WORKER.workerId] as const;
    const reply = (await this.workerBlocking.xreadgroup(...group, 'COUNT', 1, 'BLOCK', 500, 'STREAMS', queue, '>')) as
      | [string, [string, string[]][]][]
      | null;
    const entry = reply?.[0]?.[1][0];
    return entry === undefined ? undefined : [entry[0], entry[1][1] ?? ''];
  }

  /** Reads until an entry comes, whatever happens to Redis meanwhile; a group that went with the data is made again. */
  async pull(): Promise<[entryId: string, runId: string]> {
    let found: [string, string] | undefined;
    let last: unknown;
    const attempt = async () => {
      try {
        found = await this.read();
      } catch (error) {
        last = error;
        if (String(error).includes('NOGROUP')) await this.createGroup().catch(() => undefined);
      }
      return found !== undefined;
    };
    await until(attempt, { what: () => `an entry of the queue (${String(last)})`, timeoutMs: WAIT_MS });
    return found as unknown as [string, string];
  }

  /** Submits, again where that is refused, until it is done. */
  async submitAtLast(): Promise<string> {
    let runId: string | undefined;
    const attempt = async () => {
      runId = await this.submit().then(
        (done) => done.runId,
        () => undefined,
      );
      return runId !== undefined;
    };
    await until(attempt, { what: 'a run to be taken', timeoutMs: WAIT_MS });
    return runId as unknown as string;
  }

  /** Claims announced to the gateway after a stream id: their run ids. */
  async replies(after = '0-0'): Promise<string[]> {
    const streams = await this.gatewayBlocking.xread('BLOCK', 1000, 'STREAMS', keys.replies(GATEWAY), after);
    return (streams ?? []).flatMap(([, entries]) => entries.map(([, fields]) => fields[1] ?? ''));
  }
}
