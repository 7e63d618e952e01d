// The sandboxes of one pool key, which are interchangeable: the idle ones, the callers that wait, the failures.
import { backoffMs } from '@rungrid/kit/backoff';
import { EngineError, type Sandbox, type SandboxSpec, poolKeyOf } from '../run/ports.js';
import type { KeyPoolConfig, ResolvedTuning } from './options.js';
import { Waiters } from './waiters.js';

/** An idle sandbox that dies sooner than this after READY counts as a failed start, ms: otherwise its refill would spin. */
const EARLY_DEATH_MS = 10_000;
/** Failed starts in a row after which waiting callers are refused. */
const FAILURES_BEFORE_REFUSAL = 3;

export interface Ready {
  readonly spec: SandboxSpec;
  readonly sandbox: Sandbox;
  readonly version: string;
}

interface Idle extends Ready {
  readonly readyAtMs: number;
  readonly expiresAtMs: number;
}

export interface KeyPoolHooks {
  /** An idle sandbox ended or sent something, and was taken out. */
  readonly onLost: (ready: Ready, error: EngineError) => void;
}

export class KeyPool {
  readonly key: string;
  readonly config: KeyPoolConfig;
  readonly #tuning: ResolvedTuning;
  readonly #hooks: KeyPoolHooks;
  /** Oldest first: handed out in that order, so that few expire. */
  readonly #idle: Idle[] = [];
  readonly #callers = new Waiters<Ready>();
  /** Callers that wait until there is capacity for one more. */
  readonly capacity = new Waiters<void>();
  starting = 0;
  /** Places reserved for callers that do not take them yet. */
  reserved = 0;
  blockedUntilMs = 0;
  #failures = 0;

  constructor(config: KeyPoolConfig, parts: { tuning: ResolvedTuning; hooks: KeyPoolHooks }) {
    this.config = config;
    this.key = poolKeyOf(config.spec);
    this.#tuning = parts.tuning;
    this.#hooks = parts.hooks;
  }

  get warm(): number {
    return this.#idle.length;
  }

  get waiting(): number {
    return this.#callers.size;
  }

  /** How many idle ones have expired, and when the next one will. */
  ages(nowMs: number): { expired: number; nextMs: number } {
    let expired = 0;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { expiresAtMs } of this.#idle) {
      if (expiresAtMs <= nowMs) expired += 1;
      else nextMs = Math.min(nextMs, expiresAtMs);
    }
    return { expired, nextMs };
  }

  /** The oldest idle one. Dead ones are not here: the listener took them out. */
  take(): Ready | undefined {
    return this.#idle.shift();
  }

  /** The idle one that expires first, to be destroyed. */
  evict(): Ready | undefined {
    let oldest: Idle | undefined;
    for (const idle of this.#idle) if (oldest === undefined || idle.expiresAtMs < oldest.expiresAtMs) oldest = idle;
    if (oldest !== undefined) this.#idle.splice(this.#idle.indexOf(oldest), 1);
    return oldest;
  }

  /** Adds a ready sandbox: to the longest waiting caller, else to the idle ones. */
  put(ready: Ready): void {
    this.#failures = 0;
    if (this.#callers.serve(ready)) return;
    const readyAtMs = performance.now();
    const lifeMs = this.#tuning.maxAgeMs * (0.8 + Math.random() * 0.4);
    const idle: Idle = { ...ready, readyAtMs, expiresAtMs: readyAtMs + lifeMs };
    this.#idle.push(idle);
    ready.sandbox.listen({
      data: () => this.#lose(idle, 'an idle sandbox sent something'),
      end: () => this.#lose(idle, 'an idle sandbox ended'),
    });
  }

  /** Waits for the next one. Rejects with the signal's reason, or EngineError when starts keep failing. */
  wait(signal: AbortSignal): Promise<Ready> {
    return this.#callers.wait(signal);
  }

  /** A start failed: backs off, and refuses the waiting callers when more tries are hopeless. */
  failed(error: unknown): void {
    this.#failures += 1;
    const hopeless = error instanceof EngineError && !error.retryable;
    const { first, longest } = this.#tuning.backoffMs;
    const pauseMs = backoffMs(this.#failures, { firstMs: hopeless ? longest : first, longestMs: longest });
    this.blockedUntilMs = performance.now() + pauseMs;
    if (hopeless || this.#failures >= FAILURES_BEFORE_REFUSAL) this.refuse(error);
  }

  /** Ends the back-off: the engine has recovered. */
  resetBackoff(): void {
    this.#failures = 0;
    this.blockedUntilMs = 0;
  }

  /** Rejects all callers that wait for a sandbox. */
  refuse(error: unknown): void {
    this.#callers.refuse(error);
  }

  #lose(idle: Idle, why: string): void {
    const index = this.#idle.indexOf(idle);
    if (index < 0) return;
    this.#idle.splice(index, 1);
    const error = new EngineError(`${this.key}: ${why}`, { retryable: true });
    if (performance.now() - idle.readyAtMs < EARLY_DEATH_MS) this.failed(error);
    this.#hooks.onLost(idle, error);
  }
}
