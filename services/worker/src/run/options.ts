// What a run is made of: its sandbox's lease, its options, and the observer of its milestones.
import type { TokenBucket } from '@rungrid/kit/token-bucket';
import type { RunLimits } from './limits.js';
import type { Sandbox } from './ports.js';

/** A sandbox that belongs to one run until it is released. */
export interface Lease {
  readonly sandbox: Sandbox;
  /** It was ready before it was requested. */
  readonly warm: boolean;
  /** Language version as the sandbox reported it. */
  readonly version: string;
  /** The client sent input, at this time of performance.now(): the pool throttles engine work for a while. */
  typed(nowMs: number): void;
  /** Destroys the sandbox, in the background; it is never used again. Idempotent. */
  release(): void;
}

export interface RunOptions {
  readonly id: string;
  /** The secret that a stream must present to attach. */
  readonly key: string;
  readonly language: string;
  /** Its version, where the sandbox does not report one. */
  readonly version: string;
  /** All of stdin; undefined: interactive. */
  readonly stdin: Buffer | undefined;
  readonly limits: RunLimits;
  /** Output budget shared by all runs, for what each writes beyond its own. */
  readonly outputBudget: TokenBucket;
  /** Events kept for a stream that attaches later, bytes. */
  readonly ringBytes: number;
  /** Whether it continues for the resume window when its client disconnects. */
  readonly keep: boolean;
  /** How long it waits for its gateway to attach, and how long an undelivered end is kept, ms. */
  readonly unattachedMs: number;
  /** The resume window, ms. */
  readonly resumeMs: number;
  readonly observer: RunObserver;
}

/** Receives the run's milestones. Each but `detached` is called at most once. */
export interface RunObserver {
  /** The program runs; microseconds since it was submitted to the sandbox. */
  started(us: number): void;
  /** First byte of output; microseconds since the program was submitted. */
  firstOutput(us: number): void;
  /** The terminal event is set. `reason` is the exit's reason or the error's code. */
  ended(reason: string): void;
  /** It continues without a subscriber, for a client that may resume; `expire` ends it. Undefined: a subscriber attached again. */
  detached(expire: (() => void) | undefined): void;
  /** Its end was delivered, and is kept for a client that may have lost it in transit; `forget` drops it. */
  kept(forget: () => void): void;
  /** The run is no longer needed. */
  closed(): void;
}
