// The worker's side of the run registry: claims queued runs, and notifies gateways of claims. Each verb is one script, one round trip.
import type { Redis } from './connection.js';
import { type Keys, WORKER_GROUP } from './keys.js';
import { luaScript } from './lua-script.js';

/** Replies kept for a gateway that does not read: far above what waits while it is alive. */
const MAX_REPLIES = 10_000;

interface ClaimScripts {
  claimRun(...args: (string | number)[]): Promise<number>;
  notifyClaim(...args: (string | number)[]): Promise<null>;
}

export interface ClaimInput {
  readonly runId: string;
  readonly language: string;
  readonly entryId: string;
  readonly gatewayId: string;
  readonly workerId: string;
  readonly address: string;
  /** Whether the gateway is notified on its reply stream. */
  readonly notify: boolean;
  /** How long it is remembered which worker holds the run, ms: as long as a client may resume it. */
  readonly heldTtlMs: number;
}

export interface ClaimNotice {
  readonly runId: string;
  readonly epoch: number;
  readonly gatewayId: string;
  readonly workerId: string;
  readonly address: string;
}

export class RunClaims {
  readonly #redis: Redis & ClaimScripts;
  readonly #keys: Keys;

  constructor(redis: Redis, keys: Keys) {
    redis.defineCommand('claimRun', { numberOfKeys: 5, lua: luaScript('claim-run') });
    redis.defineCommand('notifyClaim', { numberOfKeys: 1, lua: luaScript('notify-claim') });
    this.#redis = redis as Redis & ClaimScripts;
    this.#keys = keys;
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

  /** Notifies a gateway of a claim that it may not know of. */
  async notify(claim: ClaimNotice): Promise<void> {
    const replies = this.#keys.replies(claim.gatewayId);
    await this.#redis.notifyClaim(replies, claim.runId, claim.epoch, claim.workerId, claim.address, MAX_REPLIES);
  }
}
