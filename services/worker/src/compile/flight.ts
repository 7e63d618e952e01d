// One compile step shared by any number of runs: each receives all diagnostics and the result. It is aborted when the last one leaves.
import type { CompileFollower, CompileResult } from '../run/artifacts.js';

export class Flight {
  readonly #followers = new Set<CompileFollower>();
  readonly #diagnostics: Buffer[] = [];
  readonly #abandoned = new AbortController();
  #over = false;

  /** Aborted when the last follower leaves. */
  get signal(): AbortSignal {
    return this.#abandoned.signal;
  }

  /** Returns how to leave again; leaving after the result changes nothing. */
  join(follower: CompileFollower): () => void {
    this.#followers.add(follower);
    for (const bytes of this.#diagnostics) follower.diagnostics(bytes);
    return () => {
      this.#followers.delete(follower);
      if (this.#followers.size === 0 && !this.#over) this.#abandoned.abort(new Error('the last follower left'));
    };
  }

  diagnostics(bytes: Buffer): void {
    this.#diagnostics.push(bytes);
    for (const follower of this.#followers) follower.diagnostics(bytes);
  }

  settle(result: CompileResult): void {
    if (this.#over) return;
    this.#over = true;
    for (const follower of this.#followers) follower.settled(result);
    this.#followers.clear();
  }
}
