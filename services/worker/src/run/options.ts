// What a run is made of: its sandbox's lease, its program and limits, and who hears of its milestones.
import type { TokenBucket } from '@rungrid/kit/token-bucket';
import type { RunLimits } from './limits.js';
import type { Sandbox } from './ports.js';

/** A sandbox that is the run's own until it is given back. */
export interface Lease {
  readonly sandbox: Sandbox;
  /** It was ready before it was asked for. */
  readonly warm: boolean;
  /** Language version as the sandbox reported it. */
  readonly version: string;
  /** Somebody has typed to it, at this time of performance.now(): other work of the engine makes room for a while. */
  typed(nowMs: number): void;
  /** Destroys the sandbox, in the background; it is never used again. Idempotent. */
  release(): void;
}

export interface RunOptions {
  readonly id: string;
  /** Who shows it may attach. */
  readonly key: string;
  readonly language: string;
  /** Its version, where the sandbox does not report one. */
  readonly version: string;
  /** All of stdin; undefined: interactive. */
  readonly stdin: Buffer | undefined;
  readonly limits: RunLimits;
  /** Bytes that all runs together may write beyond each one's own. */
  readonly pace: TokenBucket;
  /** Events kept for those who attach later, bytes. */
  readonly ringBytes: number;
  /** Whether it goes on for the resume window when its client is lost. */
  readonly keep: boolean;
  /** How long it goes on before its gateway attaches, and how long an end that nobody has heard is kept, ms. */
  readonly unattachedMs: number;
  /** The resume window, ms. */
  readonly resumeMs: number;
  readonly observer: RunObserver;
}

/** Where the run's milestones go: metrics and the registry. Each but `alone` is called at most once. */
export interface RunObserver {
  /** The program runs; microseconds since the hand-over. */
  started(us: number): void;
  /** First byte of output; microseconds since the hand-over. */
  firstOutput(us: number): void;
  /** The terminal event is set. `reason` is the exit's reason or the error's code. */
  ended(reason: string): void;
  /** It goes on without anybody, for a client that may come back; `giveUp` ends it. Undefined: somebody is there again. */
  alone(expire: (() => void) | undefined): void;
  /** Its end was heard, and is kept for a client that lost it on the way; `forget` lets go of it. */
  kept(forget: () => void): void;
  /** Nothing of the run is needed any more. */
  closed(): void;
}
