// Compiled programs in Redis: bounded in bytes, least recently used evicted first; each verb is one script.
import type { Keys } from './keys.js';
import { luaScript } from './lua-script.js';
import type { Redis } from './connection.js';

interface ArtifactScripts {
  putArtifact(...args: (string | number | Buffer)[]): Promise<string[]>;
  getArtifactBuffer(...args: (string | number)[]): Promise<Buffer | null>;
}

export interface ArtifactLimits {
  /** All of them together, bytes. */
  readonly maxBytes: number;
  /** How long an unused program is kept, ms. */
  readonly ttlMs: number;
}

export class ArtifactRedis {
  readonly #redis: Redis & ArtifactScripts;
  readonly #keys: Keys;
  readonly #limits: ArtifactLimits;

  /** `redis`: a connection of its own, so that claims do not wait behind megabytes. */
  constructor(redis: Redis, keys: Keys, limits: ArtifactLimits) {
    redis.defineCommand('putArtifact', { numberOfKeys: 3, lua: luaScript('put-artifact') });
    redis.defineCommand('getArtifact', { numberOfKeys: 3, lua: luaScript('get-artifact') });
    this.#redis = redis as unknown as Redis & ArtifactScripts;
    this.#keys = keys;
    this.#limits = limits;
  }

  /** `name`: hex digits. Rejects when Redis does. */
  async get(name: string): Promise<Buffer | undefined> {
    const bytes = await this.#redis.getArtifactBuffer(...this.#keysOf(name), name, Date.now(), this.#limits.ttlMs);
    return bytes ?? undefined;
  }

  /**
   * One that is larger than all may be together is not kept. Rejects when Redis does. Those that have to go are deleted in a second step:
   * where that fails, their time runs out; where one was put anew in between, its next reader puts the books right.
   */
  async put(name: string, bytes: Buffer): Promise<void> {
    const { maxBytes, ttlMs } = this.#limits;
    const evicted = await this.#redis.putArtifact(...this.#keysOf(name), name, bytes, Date.now(), ttlMs, maxBytes);
    if (evicted.length > 0) await this.#redis.del(evicted.map((other) => this.#keys.artifactPrefix + other));
  }

  #keysOf(name: string): [string, string, string] {
    const { artifactPrefix, artifacts, artifactSizes } = this.#keys;
    return [artifactPrefix + name, artifacts, artifactSizes];
  }
}
