// The run registry in Redis: our Lua scripts as typed verbs.
import { type Keys, WORKER_GROUP } from './keys.js';
import { luaScript } from './lua-script.js';
import type { Redis } from './redis-connection.js';

/** Replies kept for a gateway that does not read: far above what waits while it is alive. */
const MAX_REPLIES = 10_000;

interface RunScripts {
  submitRun(...args: (string | number)[]): Promise<[string, number]>;
  claimRun(...args: (string | number)[]): Promise<number>;
  tellClaim(...args: (string | number)[]): Promise<null>;
  cancelRun(...args: (string | number)[]): Promise<number>;
}

export interface SubmitInput {
  readonly nonceKey: string;
  readonly nonceTtlMs: number;
  /** Hash of the client's address. */
  readonly address: string;
  readonly rateLimit: number;
  readonly rateWindowMs: number;
  readonly maxQueue: number;
  readonly language: string;
  readonly runId: string;
  readonly request: string;
  readonly gatewayId: string;
  readonly runTtlMs: number;
}
export type SubmitResult =
  | { readonly outcome: 'ok'; readonly position: number }
  | { readonly outcome: 'replayed' }
  | { readonly outcome: 'rate'; readonly retryAfterMs: number }
  | { readonly outcome: 'full'; readonly length: number };

export interface ClaimInput {
  readonly runId: string;
  readonly language: string;
  readonly entryId: string;
  readonly gatewayId: string;
  readonly workerId: string;
  readonly address: string;
  /** Whether the gateway is told on its reply stream. */
  readonly tell: boolean;
}

export interface TellInput {
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
    redis.defineCommand('submitRun', { numberOfKeys: 4, lua: luaScript('submit-run') });
    redis.defineCommand('claimRun', { numberOfKeys: 3, lua: luaScript('claim-run') });
    redis.defineCommand('tellClaim', { numberOfKeys: 1, lua: luaScript('tell-claim') });
    redis.defineCommand('cancelRun', { numberOfKeys: 2, lua: luaScript('cancel-run') });
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
      input.nonceTtlMs,
      input.rateLimit,
      input.rateWindowMs,
      input.maxQueue,
      input.request,
      input.gatewayId,
      input.runTtlMs,
    );
    switch (outcome) {
      case 'ok':
        return { outcome, position: value };
      case 'replayed':
        return { outcome };
      case 'rate':
        return { outcome, retryAfterMs: value };
      case 'full':
        return { outcome, length: value };
      default:
        throw new Error(`submit-run.lua answered ${outcome}`);
    }
  }

  /** The epoch, or 0 when the run is not to be had. */
  claim(input: ClaimInput): Promise<number> {
    return this.#redis.claimRun(
      this.#keys.run(input.runId),
      this.#keys.queue(input.language),
      this.#keys.replies(input.gatewayId),
      WORKER_GROUP,
      input.entryId,
      input.workerId,
      input.runId,
      input.address,
      MAX_REPLIES,
      input.tell ? 1 : 0,
    );
  }

  /** Tells a gateway of a claim that it may not know of. */
  async tell(claim: TellInput): Promise<void> {
    const replies = this.#keys.replies(claim.gatewayId);
    await this.#redis.tellClaim(replies, claim.runId, claim.epoch, claim.workerId, claim.address, MAX_REPLIES);
  }

  /** Whether the run was still queued, and is cancelled now. */
  async cancel(runId: string, language: string): Promise<boolean> {
    return (await this.#redis.cancelRun(this.#keys.run(runId), this.#keys.queue(language), WORKER_GROUP)) === 1;
  }
}
