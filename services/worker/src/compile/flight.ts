// One compile step that any number of runs wait for: each hears all of its diagnostics and its result; when the last one leaves, it is given up.
import type { CompileFollower, CompileResult } from '../run/artifacts.js';

export class Flight {
  readonly #followers = new Set<CompileFollower>();
  readonly #said: Buffer[] = [];
  readonly #abandoned = new AbortController();
  #over = false;

  /** Nobody waits any more. */
  get signal(): AbortSignal {
    return this.#abandoned.signal;
  }

  /** Returns how to leave again; leaving after the result changes nothing. */
  join(follower: CompileFollower): () => void {
    this.#followers.add(follower);
    for (const bytes of this.#said) follower.diagnostics(bytes);
    return () => {
      this.#followers.delete(follower);
      if (this.#followers.size === 0 && !this.#over) this.#abandoned.abort(new Error('nobody waits for it'));
    };
  }

  say(bytes: Buffer): void {
    this.#said.push(bytes);
    for (const follower of this.#followers) follower.diagnostics(bytes);
  }

  /** Diagnostics of a kept result are new to those who wait here. */
  settle(result: CompileResult): void {
    if (this.#over) return;
    this.#over = true;
    for (const follower of this.#followers) follower.settled(result);
    this.#followers.clear();
  }
}
