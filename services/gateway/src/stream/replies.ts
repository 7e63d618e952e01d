// Reads the claims on this gateway's reply stream: from a known id on, so that a lost connection skips nothing.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Keys } from '@rungrid/bus/keys';
import type { Logger } from '@rungrid/kit/logger';
import type { Redis } from '@rungrid/bus/connection';
import { type Claim, parseClaim } from '@rungrid/proto/stream-entries';

/** How long one read waits for an entry, ms. */
const BLOCK_MS = 4000;
/** How long a read may go without an answer before its connection counts as dead, ms. */
const STALL_MS = BLOCK_MS + 3000;
/** Pause after a failed read, ms. */
const RETRY_MS = 250;
const BATCH = 256;

export interface ReplyReaderOptions {
  /** A blocking connection of its own. */
  readonly redis: Redis;
  readonly keys: Keys;
  readonly gatewayId: string;
  readonly logger: Logger;
  readonly onClaim: (claim: Claim) => void;
}

export class ReplyReader {
  readonly #options: ReplyReaderOptions;
  readonly #stop = new AbortController();
  readonly #done: Promise<void>;
  // The gateway's id is new with every start, so that the stream begins empty.
  #lastId = '0-0';

  constructor(options: ReplyReaderOptions) {
    this.#options = options;
    this.#done = this.#loop();
  }

  /** Stops reading and closes the connection. */
  async close(): Promise<void> {
    this.#stop.abort();
    this.#options.redis.disconnect();
    await this.#done;
  }

  async #loop(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      try {
        await this.#read();
      } catch (error) {
        if (this.#stop.signal.aborted) return;
        this.#options.logger.warn(
          { err: error instanceof Error ? error.message : 'unknown' },
          'claim notices read failed',
        );
        await sleep(RETRY_MS);
      }
    }
  }

  async #read(): Promise<void> {
    const { redis, keys, gatewayId } = this.#options;
    // A peer that vanished silently would hold the read for ever: a new connection reads again, from the same id.
    const stall = setInterval(() => {
      if (redis.status === 'ready') redis.disconnect(true);
    }, STALL_MS);
    try {
      const streams = await redis.xread(
        'COUNT',
        BATCH,
        'BLOCK',
        BLOCK_MS,
        'STREAMS',
        keys.replies(gatewayId),
        this.#lastId,
      );
      for (const [, entries] of streams ?? []) {
        for (const [id, fields] of entries) this.#entry(id, fields);
      }
    } finally {
      clearInterval(stall);
    }
  }

  #entry(id: string, fields: readonly string[]): void {
    this.#lastId = id;
    const claim = parseClaim(fields);
    if (claim === undefined) {
      this.#options.logger.error({ id }, 'claim notice malformed');
      return;
    }
    try {
      this.#options.onClaim(claim);
    } catch (error) {
      // One run's fault must not cost the others their claims; its own timer ends it.
      this.#options.logger.error({ err: error, run: claim.run }, 'claim handling failed');
    }
  }
}
