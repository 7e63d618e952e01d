// Compiled programs in Redis: bounded in bytes, the least recently used goes first; each verb is one script, one round trip.
import { readFileSync } from 'node:fs';
import type { Keys } from './keys.js';
import type { Redis } from './redis.js';

interface ArtefactScripts {
  putArtefact(...args: (string | number | Buffer)[]): Promise<number>;
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
    redis.defineCommand('putArtefact', { numberOfKeys: 3, lua: script('put-artefact') });
    redis.defineCommand('getArtefact', { numberOfKeys: 3, lua: script('get-artefact') });
    this.#redis = redis as unknown as Redis & ArtefactScripts;
    this.#keys = keys;
    this.#limits = limits;
  }

  /** `name`: hex digits. Rejects when Redis does. */
  async get(name: string): Promise<Buffer | undefined> {
    const bytes = await this.#redis.getArtefactBuffer(...this.#keysOf(name), name, Date.now(), this.#limits.ttlMs);
    return bytes ?? undefined;
  }

  /** One that is larger than all may be together is not kept. Rejects when Redis does. */
  async put(name: string, bytes: Buffer): Promise<void> {
    const { maxBytes, ttlMs } = this.#limits;
    const prefix = this.#keys.artefactPrefix;
    await this.#redis.putArtefact(...this.#keysOf(name), name, bytes, Date.now(), ttlMs, maxBytes, prefix);
  }

  #keysOf(name: string): [string, string, string] {
    const { artefactPrefix, artefacts, artefactSizes } = this.#keys;
    return [artefactPrefix + name, artefacts, artefactSizes];
  }
}

function script(name: string): string {
  return readFileSync(new URL(`../src/lua/${name}.lua`, import.meta.url), 'utf8');
}
