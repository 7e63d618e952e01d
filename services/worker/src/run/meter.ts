// The counters of a run's sandbox: what was spent before the program began, what the limits say, what the end reports.
import type { EndReason } from '@rungrid/proto/limits';
import { type LastCounters, limitPassed } from './outcome.js';
import type { Sandbox, SandboxUsage } from './ports.js';

export class Meter {
  readonly #sandbox: Sandbox;
  #cpuBaseMs = 0;
  #refusedBase = 0;
  /** pidsRefused at the two looks before. */
  #refusedBefore: [number, number] = [0, 0];
  #last: SandboxUsage | undefined;

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
  }

  /** What was spent so far is not the program's. */
  rebase(): void {
    const usage = this.#sandbox.usage();
    this.#cpuBaseMs = usage?.cpuMs ?? 0;
    this.#refusedBase = usage?.pidsRefused ?? 0;
    this.#refusedBefore = [this.#refusedBase, this.#refusedBase];
  }

  /** Looks at the counters; the limit that is passed, if any. Where they can't be read cheaply, none. */
  look(limits: { readonly cpuMs: number }): EndReason | undefined {
    const usage = this.#sandbox.usage();
    if (usage === undefined) return undefined;
    this.#last = usage;
    const passed = limitPassed({ usage, cpuBaseMs: this.#cpuBaseMs, refusedBefore: this.#refusedBefore }, limits);
    this.#refusedBefore = [this.#refusedBefore[1], usage.pidsRefused];
    return passed;
  }

  /** A look saw an out-of-memory kill. */
  get sawOom(): boolean {
    return (this.#last?.oomKills ?? 0) > 0;
  }

  /** The last look saw forks refused since the program began. */
  get sawRefusal(): boolean {
    return (this.#last?.pidsRefused ?? 0) > this.#refusedBase;
  }

  /** Hands over the last counters: at once where they are readable, else when the engine has told them, else as they were last seen. */
  final(use: (usage: SandboxUsage | undefined) => void): void {
    const usage = this.#sandbox.usage();
    if (usage !== undefined) use(usage);
    else void this.#sandbox.finalUsage().then((told) => use(told ?? this.#last));
  }

  /** What decides about an end that the program reports itself. Memory is looked at from the sandbox's beginning: one that lost a process before is no sandbox to begin in. */
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
