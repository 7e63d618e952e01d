// The warm pool: keeps started sandboxes ready, shelf by shelf (language, mode, class), hands each out once, and destroys it afterwards.
import { TokenBucket } from '@rungrid/kit/token-bucket';
import { totalmem } from 'node:os';
import type { Lease } from '../run/options.js';
import { type Engine, EngineError, type SandboxSpec, shelfName } from '../run/ports.js';
import { CapacityWaiters } from './capacity.js';
import { Destroyer } from './destroyer.js';
import { PoolLease } from './lease.js';
import {
  type PoolShelf,
  type PoolObserver,
  type PoolTuning,
  type ResolvedTuning,
  resolveTuning,
  type WaitReady,
} from './options.js';
import { decide, HANGS_MS, hasCapacity, jobsAtOnce, type PoolCounts } from './policy.js';
import { type Ready, Shelf } from './shelf.js';
import { Starter } from './starter.js';
import type { PoolStats } from './stats.js';

export interface PoolOptions {
  readonly engine: Engine;
  /** Each shelf once. */
  readonly shelves: readonly PoolShelf[];
  readonly waitReady: WaitReady;
  readonly tuning?: PoolTuning;
  readonly observer?: PoolObserver;
}

export class Pool {
  readonly #tuning: ResolvedTuning;
  readonly #observer: PoolObserver;
  readonly #shelves: ReadonlyMap<string, Shelf>;
  readonly #starter: Starter;
  readonly #destroyer: Destroyer;
  readonly #bucket: TokenBucket;
  readonly #live = new Set<PoolLease>();
  readonly #starts = new Set<Promise<void>>();
  readonly #capacity = new CapacityWaiters();
  readonly #liveWaiters: Array<() => void> = [];
  #state: 'new' | 'running' | 'suspended' | 'draining' = 'new';
  #holdUntilMs = 0;
  #typedMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Immediate | undefined;

  /** Throws RangeError for tuning out of range. */
  constructor(options: PoolOptions) {
    this.#observer = options.observer ?? {};
    const tuning = resolveTuning(options.tuning ?? {}, totalmem());
    this.#tuning = tuning;
    const hooks = {
      onLost: (ready: Ready, error: EngineError): void => {
        this.#observer.failed?.(ready.spec, error);
        this.#destroyer.add(ready.sandbox, ready.spec);
        this.#pumpSoon();
      },
    };
    this.#shelves = new Map(
      options.shelves.map((config) => [shelfName(config.spec), new Shelf(config, { tuning, hooks })]),
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
      onFault: (spec, error) => this.#observer.failed?.(spec, error),
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
   * The engine is away: nothing is started or handed out, and who waits for a sandbox is refused. Idle sandboxes stay while their streams
   * are open: an engine that only hung gives them back.
   */
  suspend(): void {
    if (this.#state !== 'running') return;
    this.#state = 'suspended';
    for (const shelf of this.#shelves.values()) shelf.refuse(away());
  }

  /** The engine is back: fills what is missing at once, and removes what could not be removed. */
  resume(): void {
    if (this.#state !== 'suspended') return;
    this.#state = 'running';
    for (const shelf of this.#shelves.values()) shelf.forgive();
    this.#destroyer.retryNow();
    this.#pump();
  }

  /** A warm sandbox of this shelf (shelfName) at once, or undefined. */
  tryAcquire(name: string): Lease | undefined {
    if (this.#state === 'draining' || this.#state === 'suspended') return undefined;
    const shelf = this.#shelves.get(name);
    const ready = shelf?.take();
    if (ready === undefined) return undefined;
    this.#holdUntilMs = performance.now() + this.#tuning.refillDelayMs;
    this.#pumpSoon();
    return this.#lease(ready, { warm: true });
  }

  /**
   * A sandbox as soon as there is one. Rejects with EngineError when the pool is full, drained, or its starts fail; with the
   * signal's reason when that aborts.
   */
  async acquireCold(name: string, signal: AbortSignal): Promise<Lease> {
    const warm = this.tryAcquire(name);
    if (warm !== undefined) return warm;
    const shelf = this.#shelves.get(name);
    if (shelf === undefined)
      throw new EngineError(`no such shelf in the pool: ${name.slice(0, 40)}`, { retryable: false });
    if (this.#state !== 'running') throw this.#state === 'suspended' ? away() : closing();
    if (this.#waiting() >= this.#tuning.maxWaiting)
      throw new EngineError('too many wait for a sandbox', { retryable: true });
    const ready = shelf.wait(signal);
    this.#pumpSoon();
    return this.#lease(await ready, { warm: false });
  }

  /**
   * Promises a place of this shelf to a caller who will ask for it later: hasCapacity() counts it as taken, so that no more are read than can
   * be served. Returns how to give it back, which whoever asks then does first. Idempotent.
   */
  reserve(name: string): () => void {
    const shelf = this.#shelves.get(name);
    if (shelf === undefined) return () => undefined;
    shelf.reserved += 1;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      shelf.reserved -= 1;
      this.#pumpSoon();
    };
  }

  /** Whether a caller of this shelf would get a sandbox soon. */
  hasCapacity(name: string): boolean {
    if (this.#state !== 'running') return false;
    return hasCapacity(name, { counts: this.#counts(performance.now()), tuning: this.#tuning });
  }

  /** Settles when hasCapacity() says so. Rejects with the signal's reason, or EngineError once the pool drains. */
  async whenCapacity(name: string, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#state === 'draining') throw closing();
    if (this.hasCapacity(name)) return;
    const there = this.#capacity.wait(name, signal);
    this.#pumpSoon();
    await there;
  }

  stats(): PoolStats {
    const shelves = [...this.#shelves.values()].map(({ config, warm, starting, waiting }) => ({
      spec: config.spec,
      floor: config.floor,
      warm,
      starting,
      waiting,
    }));
    return {
      shelves,
      warm: shelves.reduce((total, entry) => total + entry.warm, 0),
      starting: shelves.reduce((total, entry) => total + entry.starting, 0),
      live: this.#live.size,
      destroying: this.#destroyer.size,
      ceiling: this.#tuning.ceiling,
    };
  }

  /** Starts nothing more, destroys the idle ones, and settles when the last run has released its sandbox and all are gone. */
  async drain(): Promise<void> {
    this.#stop();
    await Promise.all(this.#starts);
    if (this.#live.size > 0) await new Promise<void>((resolve) => this.#liveWaiters.push(resolve));
    await this.#destroyer.finish();
  }

  /** Destroys everything now, live ones too. Nothing of the pool is left when it settles. */
  async close(): Promise<void> {
    this.#stop();
    for (const lease of this.#live) lease.release();
    await this.drain();
  }

  #stop(): void {
    this.#state = 'draining';
    clearTimeout(this.#timer);
    clearImmediate(this.#soon);
    for (const shelf of this.#shelves.values()) {
      shelf.refuse(closing());
      for (let ready = shelf.take(); ready !== undefined; ready = shelf.take())
        this.#destroyer.add(ready.sandbox, ready.spec);
    }
    this.#capacity.refuse(closing());
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

  /** Once, after what runs now: a checkout does not pay for the decision. */
  #pumpSoon(): void {
    this.#soon ??= setImmediate(() => this.#pump());
  }

  #pump(): void {
    this.#soon = undefined;
    if (this.#state !== 'running') return;
    // Removals go before starts where both wait for their turn: they give memory back, and are the shorter ones.
    this.#destroyer.pump();
    const nowMs = performance.now();
    const { actions, wakeAtMs } = decide(this.#counts(nowMs), this.#tuning);
    for (const action of actions) {
      const shelf = this.#shelves.get(action.shelf);
      if (shelf === undefined) continue;
      if (action.do === 'start') this.#begin(shelf);
      else this.#evict(shelf);
    }
    this.#capacity.wake((name) => this.hasCapacity(name));
    this.#arm(nowMs, wakeAtMs);
  }

  #arm(nowMs: number, wakeAtMs: number | undefined): void {
    let nextMs = wakeAtMs ?? Number.POSITIVE_INFINITY;
    for (const shelf of this.#shelves.values()) nextMs = Math.min(nextMs, shelf.ages(nowMs).nextMs);
    for (const name of this.#capacity.shelves()) {
      const blockedUntilMs = this.#shelves.get(name)?.blockedUntilMs ?? 0;
      if (blockedUntilMs > nowMs) nextMs = Math.min(nextMs, blockedUntilMs);
    }
    clearTimeout(this.#timer);
    if (Number.isFinite(nextMs)) this.#timer = setTimeout(() => this.#pump(), Math.max(1, Math.ceil(nextMs - nowMs)));
  }

  #begin(shelf: Shelf): void {
    shelf.starting += 1;
    this.#bucket.take(performance.now());
    const start = this.#start(shelf).finally(() => {
      shelf.starting -= 1;
      this.#starts.delete(start);
      this.#pumpSoon();
    });
    this.#starts.add(start);
  }

  async #start(shelf: Shelf): Promise<void> {
    const beganMs = performance.now();
    const { spec } = shelf.config;
    try {
      const ready = await this.#starter.start(spec);
      this.#observer.ready?.(spec, performance.now() - beganMs);
      if (this.#state !== 'draining') shelf.put(ready);
      else this.#destroyer.add(ready.sandbox, spec);
    } catch (error) {
      this.#observer.failed?.(spec, error);
      shelf.failed(error);
    }
  }

  #evict(shelf: Shelf): void {
    const ready = shelf.evict();
    if (ready !== undefined) this.#destroyer.add(ready.sandbox, ready.spec);
  }

  #waiting(): number {
    let total = 0;
    for (const shelf of this.#shelves.values()) total += shelf.waiting;
    return total;
  }

  #destroysAtOnce(): number {
    const { destroysAtOnce } = this.#tuning;
    const pressed = this.#waiting() > 0 || this.#state === 'draining';
    const counts = this.#counts(performance.now());
    const turns = jobsAtOnce(counts, this.#tuning) - counts.jobs;
    return Math.min(pressed ? destroysAtOnce * 2 : destroysAtOnce, this.#destroyer.running() + turns);
  }

  #counts(nowMs: number): PoolCounts {
    const { tokens, nextMs } = this.#bucket.look(nowMs);
    return {
      shelves: [...this.#shelves.values()].map((shelf) => ({
        shelf: shelf.name,
        queue: shelf.config.spec.class === 'compile' ? undefined : shelf.config.spec.language,
        floor: shelf.config.floor,
        warm: shelf.warm,
        expired: shelf.ages(nowMs).expired,
        starting: shelf.starting,
        waiting: shelf.waiting,
        reserved: shelf.reserved,
        blockedUntilMs: shelf.blockedUntilMs,
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

function away(): EngineError {
  return new EngineError('the engine is away', { retryable: true });
}
