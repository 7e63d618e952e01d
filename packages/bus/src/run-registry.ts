// The run registry in Redis: our Lua scripts as typed verbs.
import { type Keys, WORKER_GROUP } from './keys.js';
import { luaScript } from './lua-script.js';
import type { Redis } from './connection.js';

/** Replies kept for a gateway that does not read: far above what waits while it is alive. */
const MAX_REPLIES = 10_000;
/** Notes kept of runs that are not tried again. */
const MAX_DEAD_LETTERS = 1_000;

interface RunScripts {
  submitRun(...args: (string | number)[]): Promise<[string, number]>;
  claimRun(...args: (string | number)[]): Promise<number>;
  notifyClaim(...args: (string | number)[]): Promise<null>;
  cancelRun(...args: (string | number)[]): Promise<number>;
  requeueRun(...args: (string | number)[]): Promise<[number, string, string] | null>;
}

export interface SubmitInput {
  readonly nonceKey: string;
  readonly nonceTtlMs: number;
  /** Hash of the client's address. */
  readonly address: string;
  /** Hash of the page's origin; empty: there is none. */
  readonly site: string;
  readonly rateLimit: number;
  readonly rateWindowMs: number;
  readonly maxQueue: number;
  /** Longest expected wait in the queue, ms; a run that would wait longer is refused. */
  readonly maxWaitMs: number;
  /** What one address, and one site, may have of those that wait, 0 to 1. */
  readonly addressShare: number;
  readonly siteShare: number;
  readonly language: string;
  readonly runId: string;
  readonly request: string;
  readonly gatewayId: string;
  readonly runTtlMs: number;
}
export type SubmitResult =
  | { readonly outcome: 'ok'; readonly position: number }
  | { readonly outcome: 'replayed' }
  /** Of the address's rate, of the queue, or of the address's or the site's share of it. */
  | { readonly outcome: 'rate' | 'full' | 'share'; readonly retryAfterMs: number };

export interface ClaimInput {
  readonly runId: string;
  readonly language: string;
  readonly entryId: string;
  readonly gatewayId: string;
  readonly workerId: string;
  readonly address: string;
  /** Whether the gateway is notified on its reply stream. */
  readonly notify: boolean;
  /** How long the registry remembers which worker holds the run, ms: as long as a client may resume it. */
  readonly heldTtlMs: number;
}

export interface RequeueInput {
  readonly language: string;
  readonly runId: string;
  readonly request: string;
  readonly gatewayId: string;
  readonly runTtlMs: number;
  /** The last claim that is known to be lost; 0: there was none. */
  readonly epoch: number;
}

/** Who holds a claimed run. */
export interface HeldRun {
  readonly epoch: number;
  readonly worker: string;
  readonly address: string;
}

export interface ClaimNotice {
  readonly runId: string;
  readonly epoch: number;
  readonly gatewayId: string;
  readonly workerId: string;
  readonly address: string;
}

/** The registry's verbs: each one script, one round trip. */
export class RunRegistry {
  readonly #redis: Redis & RunScripts;
  readonly #keys: Keys;

  constructor(redis: Redis, keys: Keys) {
    redis.defineCommand('submitRun', { numberOfKeys: 6, lua: luaScript('submit-run') });
    redis.defineCommand('claimRun', { numberOfKeys: 5, lua: luaScript('claim-run') });
    redis.defineCommand('notifyClaim', { numberOfKeys: 1, lua: luaScript('notify-claim') });
    redis.defineCommand('cancelRun', { numberOfKeys: 3, lua: luaScript('cancel-run') });
    redis.defineCommand('requeueRun', { numberOfKeys: 2, lua: luaScript('requeue-run') });
    this.#redis = redis as Redis & RunScripts;
    this.#keys = keys;
  }

  /** Rejects when Redis does; with a message that begins with OOM when it has no memory left: then nothing of the run is kept. */
  async submit(input: SubmitInput): Promise<SubmitResult> {
    const [outcome, value] = await this.#redis.submitRun(
      this.#keys.nonce(input.nonceKey),
      this.#keys.rate(input.address),
      this.#keys.queue(input.language),
      this.#keys.run(input.runId),
      this.#keys.waiting(input.language),
      this.#keys.pace(input.language),
      input.nonceTtlMs,
      input.rateLimit,
      input.rateWindowMs,
      input.maxQueue,
      input.request,
      input.gatewayId,
      input.runTtlMs,
      input.maxWaitMs,
      `who:${input.address}`,
      input.addressShare,
      input.site === '' ? '' : `site:${input.site}`,
      input.siteShare,
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

  /** The epoch, or 0 when the run cannot be claimed. */
  claim(input: ClaimInput): Promise<number> {
    return this.#redis.claimRun(
      this.#keys.run(input.runId),
      this.#keys.queue(input.language),
      this.#keys.replies(input.gatewayId),
      this.#keys.waiting(input.language),
      this.#keys.pace(input.language),
      WORKER_GROUP,
      input.entryId,
      input.workerId,
      input.runId,
      input.address,
      MAX_REPLIES,
      input.notify ? 1 : 0,
      input.heldTtlMs,
    );
  }

  /** Sends a claim notice to a gateway whose stream was lost. */
  async notify(claim: ClaimNotice): Promise<void> {
    const replies = this.#keys.replies(claim.gatewayId);
    await this.#redis.notifyClaim(replies, claim.runId, claim.epoch, claim.workerId, claim.address, MAX_REPLIES);
  }

  /** Queues a run again, if it does not wait and no later claim than `epoch` holds it. Returns that claim, if there is one. */
  async requeue(input: RequeueInput): Promise<HeldRun | undefined> {
    const held = await this.#redis.requeueRun(
      this.#keys.run(input.runId),
      this.#keys.queue(input.language),
      input.request,
      input.gatewayId,
      input.runTtlMs,
      input.epoch,
    );
    return held === null ? undefined : { epoch: held[0], worker: held[1], address: held[2] };
  }

  /** Who holds a run. */
  async find(runId: string): Promise<HeldRun | undefined> {
    const [state, epoch, worker = null, address = null] = await this.#redis.hmget(
      this.#keys.run(runId),
      'state',
      'epoch',
      'worker',
      'address',
    );
    if (state !== 'claimed' || worker === null || address === null) return undefined;
    return { epoch: Number(epoch), worker, address };
  }

  /** Notes a run that took its workers with it, for an operator: its id and language, nothing that a visitor wrote. */
  async deadLetter(runId: string, language: string): Promise<void> {
    await this.#redis.xadd(
      this.#keys.deadLetters,
      'MAXLEN',
      '~',
      MAX_DEAD_LETTERS,
      '*',
      'run',
      runId,
      'language',
      language,
    );
  }

  /** Whether the run was still queued, and is cancelled now. */
  async cancel(runId: string, language: string): Promise<boolean> {
    const keys = [this.#keys.run(runId), this.#keys.queue(language), this.#keys.waiting(language)];
    return (await this.#redis.cancelRun(...keys, WORKER_GROUP)) === 1;
  }
}
