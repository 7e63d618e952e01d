// Options of the warm pool: what each means, its unit, default, range, and why that default.
import { availableParallelism } from 'node:os';
import type { Sandbox, SandboxSpec } from '../run/ports.js';

export interface PoolShelf {
  /** What a sandbox of this shelf is made from; shelfName(spec) is its key in the pool. */
  readonly spec: SandboxSpec;
  /** How many warm sandboxes are kept when nothing else limits, 0..1024. */
  readonly floor: number;
}

/** Settles when the sandbox's PID 1 waits for a program; rejects when it never will. The pool sets the deadline. */
export type WaitReady = (sandbox: Sandbox, signal: AbortSignal) => Promise<{ version: string }>;

export interface PoolTuning {
  /** Most sandboxes that exist at once, whatever their state, 1..4096. Default: as many as fit half of the machine's memory at 128 MB each, 4 to 128. */
  readonly ceiling?: number;
  /** Starts under way at once while a shelf is nearly full, 1..32; the emptier, the more, up to `urgentStarts`. Default 1: a start takes most of a core for 100 ms, and one leaves the other core to the clicks. */
  readonly calmStarts?: number;
  /** Starts under way at once while somebody waits or a shelf is below its critical mark, 1..32. Default: one a core, 2 to 8. More does not raise the engine's rate, and takes the cores from those who type. */
  readonly urgentStarts?: number;
  /** Starts a second, averaged, 1..1000. Default 50: above what one engine can do, a brake on loops only. */
  readonly startsPerSecond?: number;
  /** Destroys under way at once, 1..32. Default 2 while calm; doubled while somebody waits for room. */
  readonly destroysAtOnce?: number;
  /**
   * Starts and destroys together under way at once while somebody types and there are many to do, 1..32. Default: one for each two cores, at
   * least 1. Each takes most of a core, and all beside each other kept a keystroke waiting twice to three times as long at the 99th
   * percentile; the price is a third of the rate of starts while it lasts.
   */
  readonly jobsWhileTyping?: number;
  /** So many to do are many, 1..4096. Default: five for each of `jobsWhileTyping`. Fewer are over sooner side by side, and then disturb nobody. */
  readonly manyJobs?: number;
  /** For how long after its last input somebody counts as typing, ms, 0..60000. Default 1000: from one keystroke of a slow typist to the next. */
  readonly typingMs?: number;
  /** How long a checkout holds refills and removals back, ms, 0..1000. Default 20: the first byte and most short programs are through by then. */
  readonly refillDelayMs?: number;
  /** Below this share of its floor a shelf refills at once and with urgency, 0..1. Default 0.5. */
  readonly criticalShare?: number;
  /** Age at which an idle sandbox is replaced, ms, 1000..86400000, each jittered by 20 %. Default 600000. */
  readonly maxAgeMs?: number;
  /** First and longest pause of a shelf after a failed start, ms, doubling, jittered by 50 %. Default 250 and 30000. */
  readonly backoffMs?: { readonly first: number; readonly longest: number };
  /** Deadline from started to READY, ms, 100..600000. Default 15000: an interpreter on 0.2 CPU beside many others. */
  readonly readyTimeoutMs?: number;
  /** Callers that may wait for a cold start, 1..4096. Default 32; past it they are refused with EngineError. */
  readonly maxWaiting?: number;
}

export interface PoolObserver {
  /** A start failed, or an idle sandbox died. For the log. */
  failed?(spec: SandboxSpec, error: unknown): void;
  /** From asking the engine to READY, ms. */
  ready?(spec: SandboxSpec, startMs: number): void;
  /** Removal of a sandbox took so long, ms. */
  destroyed?(spec: SandboxSpec, destroyMs: number): void;
}

export type ResolvedTuning = Readonly<Required<PoolTuning>>;

/** Fills in defaults; `memoryBytes` is the machine's. Throws RangeError naming what is out of range. */
export function resolveTuning(tuning: PoolTuning, memoryBytes: number): ResolvedTuning {
  const backoffMs = tuning.backoffMs ?? { first: 250, longest: 30_000 };
  const jobsWhileTyping = tuning.jobsWhileTyping ?? Math.min(32, Math.max(1, Math.floor(availableParallelism() / 2)));
  return Object.freeze({
    ceiling: within('ceiling', tuning.ceiling ?? defaultCeiling(memoryBytes), [1, 4096]),
    calmStarts: within('calmStarts', tuning.calmStarts ?? 1, [1, 32]),
    urgentStarts: within(
      'urgentStarts',
      tuning.urgentStarts ?? Math.max(2, Math.min(8, availableParallelism())),
      [1, 32],
    ),
    startsPerSecond: within('startsPerSecond', tuning.startsPerSecond ?? 50, [1, 1000]),
    destroysAtOnce: within('destroysAtOnce', tuning.destroysAtOnce ?? 2, [1, 32]),
    jobsWhileTyping: within('jobsWhileTyping', jobsWhileTyping, [1, 32]),
    manyJobs: within('manyJobs', tuning.manyJobs ?? 5 * jobsWhileTyping, [1, 4096]),
    typingMs: within('typingMs', tuning.typingMs ?? 1000, [0, 60_000]),
    refillDelayMs: within('refillDelayMs', tuning.refillDelayMs ?? 20, [0, 1000]),
    criticalShare: within('criticalShare', tuning.criticalShare ?? 0.5, [0, 1]),
    maxAgeMs: within('maxAgeMs', tuning.maxAgeMs ?? 600_000, [1000, 86_400_000]),
    backoffMs: {
      first: within('backoffMs.first', backoffMs.first, [1, 600_000]),
      longest: within('backoffMs.longest', backoffMs.longest, [backoffMs.first, 3_600_000]),
    },
    readyTimeoutMs: within('readyTimeoutMs', tuning.readyTimeoutMs ?? 15_000, [100, 600_000]),
    maxWaiting: within('maxWaiting', tuning.maxWaiting ?? 32, [1, 4096]),
  });
}

/** As many as fit half of the memory at 128 MB each, 4 to 128. */
export function defaultCeiling(memoryBytes: number): number {
  return Math.max(4, Math.min(128, Math.floor(memoryBytes / 2 / (128 * 1024 * 1024))));
}

function within(name: string, value: number, [low, high]: readonly [number, number]): number {
  if (!(value >= low && value <= high)) throw new RangeError(`${name}: must be in ${low}..${high}`);
  return value;
}
