// The counters of a run's sandbox: the baseline before the program began, the check against limits, the final usage.
import type { EndReason } from '@rungrid/proto/limits';
import { type LastCounters, limitPassed } from './outcome.js';
import type { Sandbox, SandboxUsage } from './ports.js';

export class Meter {
  readonly #sandbox: Sandbox;
  #cpuBaseMs = 0;
  #refusedBase = 0;
  /** pidsRefused at the two previous looks. */
  #refusedBefore: [number, number] = [0, 0];
  #last: SandboxUsage | undefined;

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
  }

  /** Sets the baseline: usage so far is not the program's. */
  rebase(): void {
    const usage = this.#sandbox.usage();
    this.#cpuBaseMs = usage?.cpuMs ?? 0;
    this.#refusedBase = usage?.pidsRefused ?? 0;
    this.#refusedBefore = [this.#refusedBase, this.#refusedBase];
  }

  /** Reads the counters and returns the limit that was passed, if any. None where they cannot be read cheaply. */
  look(limits: { readonly cpuMs: number }): EndReason | undefined {
    const usage = this.#sandbox.usage();
    if (usage === undefined) return undefined;
    this.#last = usage;
    const passed = limitPassed({ usage, cpuBaseMs: this.#cpuBaseMs, refusedBefore: this.#refusedBefore }, limits);
    this.#refusedBefore = [this.#refusedBefore[1], usage.pidsRefused];
    return passed;
  }

  /** The last look saw an out-of-memory kill. */
  get sawOom(): boolean {
    return (this.#last?.oomKills ?? 0) > 0;
  }

  /** The last look saw forks refused since the program began. */
  get sawRefusal(): boolean {
    return (this.#last?.pidsRefused ?? 0) > this.#refusedBase;
  }

  /** Passes the final counters: synchronously where they are readable, else from the engine, else as last seen. */
  final(use: (usage: SandboxUsage | undefined) => void): void {
    const usage = this.#sandbox.usage();
    if (usage !== undefined) use(usage);
    else void this.#sandbox.finalUsage().then((final) => use(final ?? this.#last));
  }

  /** The counters that decide the outcome of an exit. oomKills counts from the sandbox's start: one that lost a process before is unusable. */
  counters(usage: SandboxUsage | undefined): LastCounters {
    return {
      oomKills: usage?.oomKills ?? 0,
      pidsRefused: Math.max(0, (usage?.pidsRefused ?? 0) - this.#refusedBase),
    };
  }

  /** CPU time of the program, ms. */
  cpuMs(usage: SandboxUsage | undefined): number {
    return Math.max(0, Math.round((usage?.cpuMs ?? 0) - this.#cpuBaseMs));
  }
}
