// Recent compile results in memory: an LRU cache bounded in bytes.
import type { KeptResult } from '../run/artifacts.js';

/** Bookkeeping of one entry, bytes, as an estimate: an empty one is not free. */
const ENTRY_BYTES = 512;

export class ResultCache {
  readonly #maxBytes: number;
  /** In the order of use. */
  readonly #entries = new Map<string, KeptResult>();
  #bytes = 0;

  /** `maxBytes` 0: keeps nothing. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): KeptResult | undefined {
    const result = this.#entries.get(key);
    if (result === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, result);
    return result;
  }

  /** A result larger than the whole cache is not kept. */
  put(key: string, result: KeptResult): void {
    this.#delete(key);
    const size = sizeOf(result);
    if (size > this.#maxBytes) return;
    this.#entries.set(key, result);
    this.#bytes += size;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) return;
      this.#delete(oldest);
    }
  }

  #delete(key: string): void {
    const result = this.#entries.get(key);
    if (result === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= sizeOf(result);
  }
}

function sizeOf(result: KeptResult): number {
  const { diagnostics } = result.kind === 'compiled' ? result.artifact : result;
  return ENTRY_BYTES + diagnostics.length + (result.kind === 'compiled' ? result.artifact.content.length : 0);
}
