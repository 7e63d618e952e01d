// The names of one socket's runs: which live, and which have lived (bounded), to distinguish a late frame from a wrong one.

/** Ended names remembered. Past it the oldest is forgotten: a frame for it is then answered with no_such_run. */
const MAX_ENDED = 64;

/** The name of the one run that has none. */
export const UNNAMED = '';

export class RunNames<R> {
  readonly #live = new Map<string, R>();
  readonly #ended = new Set<string>();

  get size(): number {
    return this.#live.size;
  }

  /** All live runs. */
  values(): IterableIterator<R> {
    return this.#live.values();
  }

  /** The live run; `ended` when it was one; `unknown` when it never was, as far as is remembered. */
  find(name: string): R | 'ended' | 'unknown' {
    return this.#live.get(name) ?? (this.#ended.has(name) ? 'ended' : 'unknown');
  }

  add(name: string, run: R): void {
    this.#ended.delete(name);
    this.#live.set(name, run);
  }

  end(name: string): void {
    this.#live.delete(name);
    this.#ended.add(name);
    if (this.#ended.size > MAX_ENDED) {
      const [oldest] = this.#ended;
      if (oldest !== undefined) this.#ended.delete(oldest);
    }
  }
}
