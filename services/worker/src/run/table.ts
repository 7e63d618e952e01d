// The live runs of this worker: found by id for those who attach, reaped for limits, ended together.
import type { Run } from './run.js';

/** How often the counters of all live runs are looked at, ms: a fork bomb must end within a second of the limit (two looks). */
const SWEEP_MS = 250;

/** Ended runs whose events are kept for a client that may come back, at most; past it the one that ended first is forgotten. */
const MAX_KEPT = 256;

export class RunTable {
  readonly #runs = new Map<string, Run>();
  readonly #maxAlone: number;
  readonly #alone = new Map<Run, () => void>();
  readonly #kept = new Map<Run, () => void>();
  #timer: NodeJS.Timeout | undefined;
  #onEmpty: (() => void) | undefined;

  /** `maxAlone`: live runs that wait for a client to come back, at most; past it the one that has waited longest ends as disconnected. */
  constructor(options: { readonly maxAlone: number }) {
    this.#maxAlone = options.maxAlone;
  }

  get size(): number {
    return this.#runs.size;
  }

  add(run: Run): void {
    this.#runs.set(run.id, run);
    this.#timer ??= setInterval(() => this.#reap(), SWEEP_MS);
  }

  remove(run: Run): void {
    // One that was claimed anew has taken its place.
    if (this.#runs.get(run.id) === run) this.#runs.delete(run.id);
    this.#alone.delete(run);
    this.#kept.delete(run);
    if (this.#runs.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#onEmpty?.();
  }

  /** The run goes on without anybody until `giveUp`, which is called when there are too many such; undefined: somebody is there again. */
  alone(run: Run, expire: (() => void) | undefined): void {
    if (expire === undefined) this.#alone.delete(run);
    else bounded(this.#alone, { run, letGo: expire, max: this.#maxAlone });
  }

  /** The run has ended and its events are kept until `forget`, which is called when there are too many. */
  keep(run: Run, forget: () => void): void {
    this.#alone.delete(run);
    bounded(this.#kept, { run, letGo: forget, max: MAX_KEPT });
  }

  get(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  /** Waits until there is none, those included that are kept for who comes back; `timeoutMs` at most. */
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

  /** Ends every run as a fault that is not the program's: the worker goes away. */
  endAll(): void {
    for (const run of this.#runs.values()) run.fail('worker_lost', 'the worker is stopping');
  }

  #reap(): void {
    // A clock that is set forward or back ends nobody's run.
    const nowMs = performance.now();
    for (const run of this.#runs.values()) run.reap(nowMs);
  }
}

function bounded(runs: Map<Run, () => void>, added: { run: Run; letGo: () => void; max: number }): void {
  runs.set(added.run, added.letGo);
  if (runs.size <= added.max) return;
  const [oldest] = runs.keys();
  if (oldest === undefined) return;
  const letGo = runs.get(oldest);
  runs.delete(oldest);
  letGo?.();
}
