// The live runs of this worker: looked up by id to attach, checked against limits, ended together.
import type { Run } from './run.js';

/** How often the limits of all live runs are checked, ms: a fork bomb must end within a second of the limit (two checks). */
const CHECK_MS = 250;

/** Most ended runs whose events are kept for a client that may resume; past this the one that ended first is dropped. */
const MAX_KEPT = 256;

export class RunTable {
  readonly #runs = new Map<string, Run>();
  readonly #maxDetached: number;
  readonly #detached = new Map<Run, () => void>();
  readonly #kept = new Map<Run, () => void>();
  #timer: NodeJS.Timeout | undefined;
  #onEmpty: (() => void) | undefined;

  /** `maxDetached`: most live runs that wait for a client to resume; past this the one that has waited longest ends as disconnected. */
  constructor(options: { readonly maxDetached: number }) {
    this.#maxDetached = options.maxDetached;
  }

  get size(): number {
    return this.#runs.size;
  }

  add(run: Run): void {
    this.#runs.set(run.id, run);
    this.#timer ??= setInterval(() => this.#checkLimits(), CHECK_MS);
  }

  remove(run: Run): void {
    // A newer claim of the same run may have replaced it.
    if (this.#runs.get(run.id) === run) this.#runs.delete(run.id);
    this.#detached.delete(run);
    this.#kept.delete(run);
    if (this.#runs.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#onEmpty?.();
  }

  /** The run continues without a subscriber; `expire` is called when there are too many. Undefined: a subscriber attached again. */
  detached(run: Run, expire: (() => void) | undefined): void {
    if (expire === undefined) this.#detached.delete(run);
    else bounded(this.#detached, { run, drop: expire, max: this.#maxDetached });
  }

  /** The run has ended and its events are kept; `forget` is called when there are too many. */
  keep(run: Run, forget: () => void): void {
    this.#detached.delete(run);
    bounded(this.#kept, { run, drop: forget, max: MAX_KEPT });
  }

  get(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  /** Waits until there is none, including those kept for a resume; at most `timeoutMs`. */
  async drained(timeoutMs: number): Promise<void> {
    if (this.#runs.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#onEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Ends every run with worker_lost: the worker is stopping. */
  endAll(): void {
    for (const run of this.#runs.values()) run.fail('worker_lost', 'the worker is stopping');
  }

  #checkLimits(): void {
    // Monotonic: a clock that is set forward or back must not end a run.
    const nowMs = performance.now();
    for (const run of this.#runs.values()) run.checkLimits(nowMs);
  }
}

function bounded(runs: Map<Run, () => void>, added: { run: Run; drop: () => void; max: number }): void {
  runs.set(added.run, added.drop);
  if (runs.size <= added.max) return;
  const [oldest] = runs.keys();
  if (oldest === undefined) return;
  const drop = runs.get(oldest);
  runs.delete(oldest);
  drop?.();
}
