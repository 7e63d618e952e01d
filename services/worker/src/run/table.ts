// The live runs of this worker: found by id for those who attach, swept for limits, ended together.
import type { Run } from './run.js';

/** How often the counters of all live runs are looked at, ms: a fork bomb must end within a second of the limit (two looks). */
const SWEEP_MS = 250;

export class RunTable {
  readonly #runs = new Map<string, Run>();
  #timer: NodeJS.Timeout | undefined;

  get size(): number {
    return this.#runs.size;
  }

  add(run: Run): void {
    this.#runs.set(run.id, run);
    this.#timer ??= setInterval(() => this.#sweep(), SWEEP_MS);
  }

  remove(run: Run): void {
    this.#runs.delete(run.id);
    if (this.#runs.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  get(id: string): Run | undefined {
    return this.#runs.get(id);
  }

  /** Ends every run as a fault that is not the program's: the worker goes away. */
  endAll(): void {
    for (const run of this.#runs.values()) run.fail('worker_lost', 'the worker is stopping');
  }

  #sweep(): void {
    const nowMs = Date.now();
    for (const run of this.#runs.values()) run.sweep(nowMs);
  }
}
