// Run tokens, fetched ahead: the next one is there before it is needed, and each is given out once.

/** How long a token is kept for its run, ms: well inside the five minutes that it is good for. */
const KEEP_MS = 180_000;

/** Makes one run token; called once a run. */
export type TokenSource = () => string | Promise<string>;

export class TokenStock {
  readonly #source: TokenSource;
  #next: { readonly token: Promise<string>; readonly atMs: number } | undefined;

  constructor(source: TokenSource) {
    this.#source = source;
  }

  /** Fetches the next token, unless a fresh one is there. A failure shows at `take`. */
  prepare(): void {
    if (this.#next !== undefined && performance.now() - this.#next.atMs < KEEP_MS) return;
    const token = this.#fetch();
    const next = { token, atMs: performance.now() };
    this.#next = next;
    token.catch(() => {
      if (this.#next === next) this.#next = undefined;
    });
  }

  /** A token that no other run gets. Rejects as the source does. */
  take(): Promise<string> {
    this.prepare();
    const token = this.#next?.token ?? this.#fetch();
    this.#next = undefined;
    return token;
  }

  async #fetch(): Promise<string> {
    return this.#source();
  }
}
