// Compiled programs in Redis: bounded in bytes, the least recently used goes first; each verb is one script.
import type { Keys } from './keys.js';
import { luaScript } from './lua-script.js';
import type { Redis } from './connection.js';

interface ArtefactScripts {
  putArtefact(...args: (string | number | Buffer)[]): Promise<string[]>;
  getArtefactBuffer(...args: (string | number)[]): Promise<Buffer | null>;
}

export interface ArtefactLimits {
  /** All of them together, bytes. */
  readonly maxBytes: number;
  /** How long one that nobody uses is kept, ms. */
  readonly ttlMs: number;
}

export class ArtefactRedis {
  readonly #redis: Redis & ArtefactScripts;
  readonly #keys: Keys;
  readonly #limits: ArtefactLimits;

  /** `redis`: a connection of its own, so that megabytes do not stand before claims. */
  constructor(redis: Redis, keys: Keys, limits: ArtefactLimits) {
    redis.defineCommand('putArtefact', { numberOfKeys: 3, lua: luaScript('put-artifact') });
    redis.defineCommand('getArtefact', { numberOfKeys: 3, lua: luaScript('get-artifact') });
    this.#redis = redis as unknown as Redis & ArtefactScripts;
    this.#keys = keys;
    this.#limits = limits;
  }

  /** `name`: hex digits. Rejects when Redis does. */
  async get(name: string): Promise<Buffer | undefined> {
    const bytes = await this.#redis.getArtefactBuffer(...this.#keysOf(name), name, Date.now(), this.#limits.ttlMs);
    return bytes ?? undefined;
  }

  /**
   * One that is larger than all may be together is not kept. Rejects when Redis does. Those that have to go are deleted in a second step:
   * where that fails, their time runs out; where one was put anew in between, its next reader puts the books right.
   */
  async put(name: string, bytes: Buffer): Promise<void> {
    const { maxBytes, ttlMs } = this.#limits;
    const gone = await this.#redis.putArtefact(...this.#keysOf(name), name, bytes, Date.now(), ttlMs, maxBytes);
    if (gone.length > 0) await this.#redis.del(gone.map((other) => this.#keys.artefactPrefix + other));
  }

  #keysOf(name: string): [string, string, string] {
    const { artefactPrefix, artefacts, artefactSizes } = this.#keys;
    return [artefactPrefix + name, artefacts, artefactSizes];
  }
}
