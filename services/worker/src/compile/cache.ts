// Recent compile results in memory: an LRU cache bounded in bytes.
import { LRUCache } from 'lru-cache';
import type { KeptResult } from '../run/artifacts.js';

/** Bookkeeping of one entry, bytes, as an estimate: an empty one is not free. */
const ENTRY_BYTES = 512;

export class ResultCache {
  readonly #entries: LRUCache<string, KeptResult> | undefined;

  /** `maxBytes` 0: keeps nothing. */
  constructor(maxBytes: number) {
    this.#entries = maxBytes === 0 ? undefined : new LRUCache({ maxSize: maxBytes, sizeCalculation: sizeOf });
  }

  get bytes(): number {
    return this.#entries?.calculatedSize ?? 0;
  }

  get(key: string): KeptResult | undefined {
    return this.#entries?.get(key);
  }

  /** A result larger than the whole cache is not kept. */
  put(key: string, result: KeptResult): void {
    this.#entries?.set(key, result);
  }
}

function sizeOf(result: KeptResult): number {
  const { diagnostics } = result.kind === 'compiled' ? result.artifact : result;
  return ENTRY_BYTES + diagnostics.length + (result.kind === 'compiled' ? result.artifact.content.length : 0);
}
