// Options of the warm pool: the meaning, unit and default of each, and why that default.
import { availableParallelism, totalmem } from 'node:os';
import type { Sandbox, SandboxSpec } from '../run/ports.js';

export interface KeyPoolConfig {
  /** The spec of its sandboxes; poolKeyOf(spec) is the pool key. */
  readonly spec: SandboxSpec;
  /** How many warm sandboxes to keep. */
  readonly minIdle: number;
}

/** Settles when the sandbox's PID 1 waits for a program; rejects when it never will. The pool sets the deadline. */
export type WaitReady = (sandbox: Sandbox, signal: AbortSignal) => Promise<{ version: string }>;

export interface PoolTuning {
  /** Most sandboxes that exist at once, whatever their state. Default: as many as fit half of the machine's memory at 128 MB each, 4 to 128. */
  readonly maxSize?: number;
  /** Concurrent starts while a pool key is nearly full; more as it empties, up to `urgentStarts`. Default 1: a start takes most of a core for 100 ms, which leaves the other core to clicks. */
  readonly calmStarts?: number;
  /** Concurrent starts while a caller waits or a pool key is below its critical mark. Default: one per core, 2 to 8. More does not raise the engine's rate, and takes the cores from interactive runs. */
  readonly urgentStarts?: number;
  /** Starts a second, averaged. Default 50: more than one engine can do; it only stops runaway loops. */
  readonly startsPerSecond?: number;
  /** Concurrent removals. Default 2; doubled while a caller waits for room. */
  readonly destroysAtOnce?: number;
  /**
   * Concurrent starts and removals together while a client types and many are pending. Default: one per two cores, at least 1.
   * Each takes most of a core; unlimited, they doubled to tripled a keystroke's 99th percentile. The price is a third of the rate of
   * starts while it lasts.
   */
  readonly jobsWhileTyping?: number;
  /** How many pending jobs count as many. Default: five for each of `jobsWhileTyping`. Fewer finish sooner side by side. */
  readonly manyJobs?: number;
  /** How long after its last input a client counts as typing, ms. Default 1000: between two keystrokes of a slow typist. */
  readonly typingMs?: number;
  /** How long a checkout delays refills and removals, ms. Default 20: the first byte and most short programs are done by then. */
  readonly refillDelayMs?: number;
  /** Below this share of its minIdle a pool key refills urgently, without delay. Default 0.5. */
  readonly criticalShare?: number;
  /** Age at which an idle sandbox is replaced, ms, each jittered by 20 %. Default 600000. */
  readonly maxAgeMs?: number;
  /** First and longest pause of a pool key after a failed start, ms, doubling, jittered by 50 %. Default 250 and 30000. */
  readonly backoffMs?: { readonly first: number; readonly longest: number };
  /** Deadline from started to READY, ms. Default 15000: generous for an interpreter on 0.2 CPU of a busy machine. */
  readonly readyTimeoutMs?: number;
  /** Callers that may wait for a cold start. Default 32; past this they are refused with EngineError. */
  readonly maxWaiting?: number;
}

export interface PoolObserver {
  /** A start failed, or an idle sandbox died. For the log. */
  failed?(spec: SandboxSpec, error: unknown): void;
  /** From asking the engine to READY, ms. */
  ready?(spec: SandboxSpec, startMs: number): void;
  /** A sandbox was removed, in ms. */
  destroyed?(spec: SandboxSpec, destroyMs: number): void;
}

export type ResolvedTuning = Readonly<Required<PoolTuning>>;

export function resolveTuning(tuning: PoolTuning = {}): ResolvedTuning {
  const cores = availableParallelism();
  const jobsWhileTyping = tuning.jobsWhileTyping ?? Math.min(32, Math.max(1, Math.floor(cores / 2)));
  return {
    maxSize: defaultMaxSize(totalmem()),
    calmStarts: 1,
    urgentStarts: Math.max(2, Math.min(8, cores)),
    startsPerSecond: 50,
    destroysAtOnce: 2,
    jobsWhileTyping,
    manyJobs: 5 * jobsWhileTyping,
    typingMs: 1000,
    refillDelayMs: 20,
    criticalShare: 0.5,
    maxAgeMs: 600_000,
    backoffMs: { first: 250, longest: 30_000 },
    readyTimeoutMs: 15_000,
    maxWaiting: 32,
    ...tuning,
  };
}

/** As many as fit half of the memory at 128 MB each, 4 to 128. */
export function defaultMaxSize(memoryBytes: number): number {
  return Math.max(4, Math.min(128, Math.floor(memoryBytes / 2 / (128 * 1024 * 1024))));
}
