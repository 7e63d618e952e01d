// The warm pool: keeps started sandboxes ready by pool key (language, mode, class), leases each once, and destroys it afterwards.
import { TokenBucket } from '@rungrid/kit/token-bucket';
import type { Lease } from '../run/options.js';
import { type Engine, EngineError, type SandboxSpec, poolKeyOf } from '../run/ports.js';
import { Destroyer } from './destroyer.js';
import { PoolLease } from './lease.js';
import {
  type KeyPoolConfig,
  type PoolObserver,
  type PoolTuning,
  type ResolvedTuning,
  resolveTuning,
  type WaitReady,
} from './options.js';
import { decide, HANGS_MS, hasCapacity, jobsAtOnce, type PoolCounts, sum } from './policy.js';
import { type Ready, KeyPool } from './key-pool.js';
import { Starter } from './starter.js';

export interface PoolOptions {
  readonly engine: Engine;
  /** Each pool key once. */
  readonly keyPools: readonly KeyPoolConfig[];
  readonly waitReady: WaitReady;
  readonly tuning?: PoolTuning;
  readonly observer?: PoolObserver;
}

export type PoolStats = ReturnType<Pool['stats']>;

export class Pool {
  readonly #tuning: ResolvedTuning;
  readonly #observer: PoolObserver;
  readonly #keyPools: ReadonlyMap<string, KeyPool>;
  readonly #starter: Starter;
  readonly #destroyer: Destroyer;
  readonly #bucket: TokenBucket;
  readonly #live = new Set<PoolLease>();
  readonly #starts = new Set<Promise<void>>();
  readonly #liveWaiters: Array<() => void> = [];
  #state: 'new' | 'running' | 'suspended' | 'draining' = 'new';
  #holdUntilMs = 0;
  #typedMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;

  constructor(options: PoolOptions) {
    this.#observer = options.observer ?? {};
    const tuning = resolveTuning(options.tuning);
    this.#tuning = tuning;
    const hooks = {
      onLost: (ready: Ready, error: EngineError): void => {
        this.#observer.failed?.(ready.spec, error);
        this.#destroyer.add(ready.sandbox, ready.spec);
        this.#pumpSoon();
      },
    };
    this.#keyPools = new Map(
      options.keyPools.map((config) => [poolKeyOf(config.spec), new KeyPool(config, { tuning, hooks })]),
    );
    this.#bucket = new TokenBucket(
      { perSecond: tuning.startsPerSecond, capacity: tuning.urgentStarts },
      performance.now(),
    );
    this.#starter = new Starter({
      engine: options.engine,
      waitReady: options.waitReady,
      readyTimeoutMs: tuning.readyTimeoutMs,
      onCreated: () => this.#pumpSoon(),
      onUnready: (sandbox, spec) => this.#destroyer.add(sandbox, spec),
    });
    this.#destroyer = new Destroyer({
      atOnce: () => this.#destroysAtOnce(),
      holdUntilMs: () => this.#holdUntilMs,
      longestHoldMs: tuning.refillDelayMs * 2,
      onFailed: (spec, error) => this.#observer.failed?.(spec, error),
      onSettled: ({ spec, destroyMs, error }) => {
        if (error === undefined) this.#observer.destroyed?.(spec, destroyMs);
        else this.#observer.failed?.(spec, error);
        this.#pumpSoon();
      },
    });
  }

  /** Begins to fill. */
  start(): void {
    if (this.#state !== 'new') return;
    this.#state = 'running';
    this.#pump();
  }

  /**
   * The engine is unreachable: starts and leases nothing, and refuses waiting callers. Idle sandboxes stay while their streams are open,
   * because they survive an engine that only hung.
   */
  suspend(): void {
    if (this.#state !== 'running') return;
    this.#state = 'suspended';
    for (const keyPool of this.#keyPools.values()) keyPool.refuse(unreachable());
  }

  /** The engine has recovered: refills at once and retries failed removals. */
  resume(): void {
    if (this.#state !== 'suspended') return;
    this.#state = 'running';
    for (const keyPool of this.#keyPools.values()) keyPool.resetBackoff();
    this.#destroyer.retryNow();
    this.#pump();
  }

  /** A warm sandbox of this pool key (poolKeyOf), or undefined; synchronous. */
  tryAcquire(poolKey: string): Lease | undefined {
    if (this.#state === 'draining' || this.#state === 'suspended') return undefined;
    const keyPool = this.#keyPools.get(poolKey);
    const ready = keyPool?.take();
    if (ready === undefined) return undefined;
    this.#holdUntilMs = performance.now() + this.#tuning.refillDelayMs;
    this.#pumpSoon();
    return this.#lease(ready, { warm: true });
  }

  /**
   * A sandbox as soon as there is one. Rejects with EngineError when the pool is full, drained, or its starts fail; with the
   * signal's reason when that aborts.
   */
  async acquireCold(poolKey: string, signal: AbortSignal): Promise<Lease> {
    const warm = this.tryAcquire(poolKey);
    if (warm !== undefined) return warm;
    const keyPool = this.#keyPool(poolKey);
    if (this.#state !== 'running') throw this.#state === 'suspended' ? unreachable() : closing();
    if (this.#waiting() >= this.#tuning.maxWaiting)
      throw new EngineError('too many callers wait for a sandbox', { retryable: true });
    const ready = keyPool.wait(signal);
    this.#pumpSoon();
    return this.#lease(await ready, { warm: false });
  }

  /**
   * Reserves a place of this pool key for a caller that will acquire later: hasCapacity() counts it as taken. Returns how to cancel, which
   * the caller does before it acquires. Idempotent.
   */
  reserve(poolKey: string): () => void {
    const keyPool = this.#keyPools.get(poolKey);
    if (keyPool === undefined) return () => undefined;
    keyPool.reserved += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      keyPool.reserved -= 1;
      this.#pumpSoon();
    };
  }

  /** Whether a caller of this pool key would get a sandbox soon. */
  hasCapacity(poolKey: string): boolean {
    if (this.#state !== 'running') return false;
    return hasCapacity(poolKey, { counts: this.#counts(performance.now()), tuning: this.#tuning });
  }

  /** Settles once hasCapacity(). Rejects with the signal's reason, or EngineError once the pool drains. */
  async whenCapacity(poolKey: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state === 'draining') throw closing();
    if (this.hasCapacity(poolKey)) return;
    const capacity = this.#keyPool(poolKey).capacity.wait(signal);
    this.#pumpSoon();
    await capacity;
  }

  stats() {
    const keyPools = [...this.#keyPools.values()].map(({ config, warm, starting, waiting }) => ({
      spec: config.spec,
      minIdle: config.minIdle,
      warm,
      starting,
      waiting,
    }));
    return {
      keyPools,
      warm: sum(keyPools, 'warm'),
      starting: sum(keyPools, 'starting'),
      live: this.#live.size,
      destroying: this.#destroyer.size,
      maxSize: this.#tuning.maxSize,
    };
  }

  /** Starts nothing more, destroys the idle ones, and settles when the last run has released its sandbox and all are removed. */
  async drain(): Promise<void> {
    this.#stop();
    await Promise.all(this.#starts);
    if (this.#live.size > 0) await new Promise<void>((resolve) => this.#liveWaiters.push(resolve));
    await this.#destroyer.finish();
  }

  /** Destroys everything now, including leased sandboxes, and settles when all are removed. */
  async close(): Promise<void> {
    this.#stop();
    for (const lease of this.#live) lease.release();
    await this.drain();
  }

  #stop(): void {
    this.#state = 'draining';
    clearTimeout(this.#timer);
    clearImmediate(this.#soon);
    for (const keyPool of this.#keyPools.values()) {
      keyPool.refuse(closing());
      keyPool.capacity.refuse(closing());
      for (let ready = keyPool.take(); ready !== undefined; ready = keyPool.take())
        this.#destroyer.add(ready.sandbox, ready.spec);
    }
  }

  #lease(ready: Ready, how: { warm: boolean }): Lease {
    const lease = new PoolLease(ready, {
      warm: how.warm,
      onTyped: (nowMs) => {
        this.#typedMs = nowMs;
      },
      onRelease: (released) => this.#released(released, ready.spec),
    });
    this.#live.add(lease);
    return lease;
  }

  #released(lease: PoolLease, spec: SandboxSpec): void {
    this.#live.delete(lease);
    this.#destroyer.add(lease.sandbox, spec);
    if (this.#live.size === 0) for (const resolve of this.#liveWaiters.splice(0)) resolve();
  }

  /** Once, after the current turn: a checkout does not pay for the decision. */
  #pumpSoon(): void {
    this.#soon ??= setImmediate(() => this.#pump());
  }

  #pump(): void {
    this.#soon = undefined;
    if (this.#state !== 'running') return;
    // Removals before starts where both wait: they free memory, and are shorter.
    this.#destroyer.pump();
    const nowMs = performance.now();
    const { actions, wakeAtMs } = decide(this.#counts(nowMs), this.#tuning);
    for (const action of actions) {
      const keyPool = this.#keyPools.get(action.poolKey);
      if (keyPool === undefined) continue;
      if (action.do === 'start') this.#begin(keyPool);
      else this.#evict(keyPool);
    }
    for (const { key, capacity } of this.#keyPools.values())
      if (capacity.size > 0 && this.hasCapacity(key)) while (capacity.serve());
    this.#arm(nowMs, wakeAtMs);
  }

  #arm(nowMs: number, wakeAtMs: number | undefined): void {
    let nextMs = wakeAtMs ?? Number.POSITIVE_INFINITY;
    for (const keyPool of this.#keyPools.values()) {
      const { blockedUntilMs, capacity } = keyPool;
      nextMs = Math.min(nextMs, keyPool.ages(nowMs).nextMs);
      if (capacity.size > 0 && blockedUntilMs > nowMs) nextMs = Math.min(nextMs, blockedUntilMs);
    }
    clearTimeout(this.#timer);
    if (Number.isFinite(nextMs)) this.#timer = setTimeout(() => this.#pump(), Math.max(1, Math.ceil(nextMs - nowMs)));
  }

  #begin(keyPool: KeyPool): void {
    keyPool.starting += 1;
    this.#bucket.take(performance.now());
    const start = this.#start(keyPool).finally(() => {
      keyPool.starting -= 1;
      this.#starts.delete(start);
      this.#pumpSoon();
    });
    this.#starts.add(start);
  }

  async #start(keyPool: KeyPool): Promise<void> {
    const beganMs = performance.now();
    const { spec } = keyPool.config;
    try {
      const ready = await this.#starter.start(spec);
      this.#observer.ready?.(spec, performance.now() - beganMs);
      if (this.#state !== 'draining') keyPool.put(ready);
      else this.#destroyer.add(ready.sandbox, spec);
    } catch (error) {
      this.#observer.failed?.(spec, error);
      keyPool.failed(error);
    }
  }

  #evict(keyPool: KeyPool): void {
    const ready = keyPool.evict();
    if (ready !== undefined) this.#destroyer.add(ready.sandbox, ready.spec);
  }

  #keyPool(poolKey: string): KeyPool {
    const keyPool = this.#keyPools.get(poolKey);
    if (keyPool !== undefined) return keyPool;
    throw new EngineError(`unknown pool key: ${poolKey.slice(0, 40)}`, { retryable: false });
  }

  #waiting(): number {
    return sum([...this.#keyPools.values()], 'waiting');
  }

  #destroysAtOnce(): number {
    const { destroysAtOnce } = this.#tuning;
    const pressed = this.#waiting() > 0 || this.#state === 'draining';
    const counts = this.#counts(performance.now());
    const spare = jobsAtOnce(counts, this.#tuning) - counts.jobs;
    return Math.min(pressed ? destroysAtOnce * 2 : destroysAtOnce, this.#destroyer.running() + spare);
  }

  #counts(nowMs: number): PoolCounts {
    const { tokens, nextMs } = this.#bucket.look(nowMs);
    return {
      keyPools: [...this.#keyPools.values()].map((keyPool) => ({
        poolKey: keyPool.key,
        queue: keyPool.config.spec.class === 'compile' ? undefined : keyPool.config.spec.language,
        minIdle: keyPool.config.minIdle,
        warm: keyPool.warm,
        expired: keyPool.ages(nowMs).expired,
        starting: keyPool.starting,
        waiting: keyPool.waiting,
        reserved: keyPool.reserved,
        blockedUntilMs: keyPool.blockedUntilMs,
      })),
      live: this.#live.size,
      destroying: this.#destroyer.size,
      jobs: this.#starter.creating + this.#destroyer.running(nowMs - HANGS_MS),
      typing: this.#live.size > 0 && nowMs - this.#typedMs < this.#tuning.typingMs,
      startTokens: tokens,
      nextTokenMs: nextMs,
      holdUntilMs: this.#holdUntilMs,
      nowMs,
      draining: this.#state !== 'running',
    };
  }
}

function closing(): EngineError {
  return new EngineError('the pool is closing', { retryable: true });
}

function unreachable(): EngineError {
  return new EngineError('the engine is not reachable', { retryable: true });
}
