// The gateway's side of the run registry: submits, requeues, cancels and finds runs. Each verb is one script, one round trip.
import type { Redis } from './connection.js';
import { type Keys, WORKER_GROUP } from './keys.js';
import { luaScript } from './lua-script.js';

/** Notes kept of runs that are not tried again. */
const MAX_DEAD_LETTERS = 1_000;

interface QueueScripts {
  submitRun(...args: (string | number)[]): Promise<[string, number]>;
  cancelRun(...args: (string | number)[]): Promise<number>;
  requeueRun(...args: (string | number)[]): Promise<[number, string, string] | null>;
}

/** What all runs of one gateway share. */
export interface QueueLimits {
  /** Runs of one address in the window, over all gateways. */
  readonly rateLimit: number;
  readonly rateWindowMs: number;
  /** Runs in the queue, per language. */
  readonly maxQueue: number;
  /** Longest expected wait in the queue, ms; a run that would wait longer is refused. */
  readonly maxWaitMs: number;
  /** What the runs of one address, and of one site, may take of the queue, 0 to 1. */
  readonly addressShare: number;
  readonly siteShare: number;
  /** How long a run that no worker claims is remembered, ms. */
  readonly runTtlMs: number;
}

export interface QueuedRun {
  readonly runId: string;
  readonly language: string;
  /** The run request as JSON. */
  readonly request: string;
}

export interface SubmittedRun extends QueuedRun {
  readonly nonceKey: string;
  readonly nonceTtlMs: number;
  /** Hash of the client's address. */
  readonly addressHash: string;
  /** Hash of the page's origin; empty: there is none. */
  readonly siteHash: string;
}

export type SubmitResult =
  | { readonly outcome: 'ok'; readonly position: number }
  | { readonly outcome: 'replayed' }
  /** Of the address's rate, of the queue, or of the address's or the site's share of it. */
  | { readonly outcome: 'rate' | 'full' | 'share'; readonly retryAfterMs: number };

/** The claim by which a worker holds a run. */
export interface HeldRun {
  readonly epoch: number;
  readonly worker: string;
  readonly address: string;
}

export class RunQueue {
  readonly #redis: Redis & QueueScripts;
  readonly #keys: Keys;
  readonly #limits: QueueLimits;

  constructor(redis: Redis, keys: Keys, limits: QueueLimits) {
    redis.defineCommand('submitRun', { numberOfKeys: 6, lua: luaScript('submit-run') });
    redis.defineCommand('cancelRun', { numberOfKeys: 3, lua: luaScript('cancel-run') });
    redis.defineCommand('requeueRun', { numberOfKeys: 2, lua: luaScript('requeue-run') });
    this.#redis = redis as Redis & QueueScripts;
    this.#keys = keys;
    this.#limits = limits;
  }

  /** Rejects when Redis does; with a message that begins with OOM when it has no memory left: then nothing of the run is kept. */
  async submit(run: SubmittedRun): Promise<SubmitResult> {
    const limits = this.#limits;
    const [outcome, value] = await this.#redis.submitRun(
      this.#keys.nonce(run.nonceKey),
      this.#keys.rate(run.addressHash),
      this.#keys.queue(run.language),
      this.#keys.run(run.runId),
      this.#keys.waiting(run.language),
      this.#keys.pace(run.language),
      run.nonceTtlMs,
      limits.rateLimit,
      limits.rateWindowMs,
      limits.maxQueue,
      run.request,
      limits.runTtlMs,
      limits.maxWaitMs,
      `who:${run.addressHash}`,
      limits.addressShare,
      run.siteHash === '' ? '' : `site:${run.siteHash}`,
      limits.siteShare,
    );
    switch (outcome) {
      case 'ok':
        return { outcome, position: value };
      case 'replayed':
        return { outcome };
      case 'rate':
      case 'full':
      case 'share':
        return { outcome, retryAfterMs: value };
      default:
        throw new Error(`submit-run.lua answered ${outcome}`);
    }
  }

  /** Queues a run again, if it is not queued and no claim later than `epoch` (0: none) holds it. Returns that claim, if there is one. */
  async requeue(run: QueuedRun, epoch: number): Promise<HeldRun | undefined> {
    const keys = [this.#keys.run(run.runId), this.#keys.queue(run.language)];
    const held = await this.#redis.requeueRun(...keys, run.request, this.#limits.runTtlMs, epoch);
    return held === null ? undefined : { epoch: held[0], worker: held[1], address: held[2] };
  }

  /** The claim that holds a run. */
  async find(runId: string): Promise<HeldRun | undefined> {
    const fields = await this.#redis.hmget(this.#keys.run(runId), 'state', 'epoch', 'worker', 'address');
    const [state, epoch, worker = null, address = null] = fields;
    if (state !== 'claimed' || worker === null || address === null) return undefined;
    return { epoch: Number(epoch), worker, address };
  }

  /** Notes a run that took its workers with it, for an operator: its id and language, nothing that a client wrote. */
  async deadLetter(runId: string, language: string): Promise<void> {
    const note = ['run', runId, 'language', language];
    await this.#redis.xadd(this.#keys.deadLetters, 'MAXLEN', '~', MAX_DEAD_LETTERS, '*', ...note);
  }

  /** Whether the run was still queued, and is cancelled now. */
  async cancel(runId: string, language: string): Promise<boolean> {
    const keys = [this.#keys.run(runId), this.#keys.queue(language), this.#keys.waiting(language)];
    return (await this.#redis.cancelRun(...keys, WORKER_GROUP)) === 1;
  }
}
