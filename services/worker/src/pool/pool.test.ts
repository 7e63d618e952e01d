// The pool's machinery over a fake engine, with a fake clock.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Engine, EngineError, type Sandbox, type SandboxListener, type SandboxSpec } from '../run/ports.js';
import type { PoolTuning, WaitReady } from './options.js';
import { Pool } from './pool.js';

const NEVER = new AbortController().signal;

describe('Pool', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('fills to minIdle, and again after a checkout', async () => {
    const { pool, engine } = make({ minIdle: 3 });
    await filled(pool, 3);
    const lease = pool.tryAcquire('a');
    expect(lease).toMatchObject({ warm: true, version: 'v1' });
    await filled(pool, 3);
    expect(pool.stats()).toMatchObject({ live: 1, warm: 3 });
    lease?.release();
    await alive(engine, 3);
    await closed(pool);
    expect(engine.alive.size).toBe(0);
  });

  it('never hands a sandbox out twice', async () => {
    const { pool } = make({ minIdle: 3 });
    await filled(pool, 3);
    const seen = new Set<string>();
    for (let round = 0; round < 20; round += 1) {
      const lease = await coldNow(pool);
      expect(seen.has(lease.sandbox.id)).toBe(false);
      seen.add(lease.sandbox.id);
      lease.release();
      lease.release();
    }
    await closed(pool);
  });

  it('a caller without a warm sandbox waits for a cold start, and its lease says so', async () => {
    const { pool, engine } = make({ minIdle: 0 });
    expect(pool.tryAcquire('a')).toBeUndefined();
    const lease = await coldNow(pool);
    expect(lease.warm).toBe(false);
    expect(engine.created).toBe(1);
    await closed(pool);
    expect(engine.alive.size).toBe(0);
  });

  it('forgets a caller that aborts its wait', async () => {
    const { pool, engine } = make({ minIdle: 0 });
    engine.hang = true;
    const abort = new AbortController();
    const waiting = pool.acquireCold('a', abort.signal);
    abort.abort(new Error('gave up'));
    await expect(waiting).rejects.toThrow('gave up');
    expect(pool.stats().keyPools[0]?.waiting).toBe(0);
  });

  it('never exceeds maxSize', async () => {
    const { pool, engine } = make({ minIdle: 50, tuning: { maxSize: 5 } });
    await filled(pool, 5);
    await vi.advanceTimersByTimeAsync(5000);
    expect(engine.most).toBe(5);
    await closed(pool);
  });

  it('waits for capacity until a run ends', async () => {
    const { pool } = make({ minIdle: 1, tuning: { maxSize: 1 } });
    await filled(pool, 1);
    const lease = await coldNow(pool);
    expect(pool.hasCapacity('a')).toBe(false);
    let there = false;
    const capacity = pool.whenCapacity('a', NEVER).finally(() => {
      there = true;
    });
    await vi.advanceTimersByTimeAsync(1000);
    expect(there).toBe(false);
    lease.release();
    await vi.advanceTimersByTimeAsync(1000);
    await capacity;
    await closed(pool);
  });

  it('backs off when starts fail, and recovers', async () => {
    const { pool, engine } = make({ minIdle: 2 });
    engine.failure = new EngineError('engine is away', { retryable: true });
    await vi.advanceTimersByTimeAsync(60_000);
    // Doubling from 250 ms to 30 s leaves about ten rounds of at most four starts in a minute.
    expect(engine.asked).toBeGreaterThan(3);
    expect(engine.asked).toBeLessThan(45);
    engine.failure = undefined;
    await filled(pool, 2);
    await closed(pool);
  });

  it('backs off on a missing image, and refuses waiting callers at once', async () => {
    const { pool, engine } = make({ minIdle: 0 });
    engine.failure = new EngineError('no such image', { retryable: false });
    const refused = pool.acquireCold('a', NEVER).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(100);
    expect(await refused).toBe(engine.failure);
    expect(pool.hasCapacity('a')).toBe(false);
    expect(engine.asked).toBe(1);
    await closed(pool);
  });

  it('destroys a sandbox that does not get ready in time', async () => {
    const { pool, engine } = make({
      minIdle: 1,
      ready: (_, signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
      tuning: { readyTimeoutMs: 1000 },
    });
    await vi.advanceTimersByTimeAsync(1200);
    expect(engine.destroyed).toBe(1);
    expect(pool.stats().warm).toBe(0);
    await closed(pool);
  });

  it('takes an idle sandbox that ends out of the pool', async () => {
    const { pool, engine } = make({ minIdle: 2 });
    await filled(pool, 2);
    engine.oldest()?.listener?.end();
    expect(pool.stats().warm).toBe(1);
    await filled(pool, 2);
    await alive(engine, 2);
    await closed(pool);
  });

  it('replaces idle sandboxes past their age, without a gap', async () => {
    const { pool, engine } = make({ minIdle: 2, tuning: { maxAgeMs: 60_000 } });
    await filled(pool, 2);
    const first = [...engine.alive];
    for (let seconds = 0; seconds < 80; seconds += 1) {
      await vi.advanceTimersByTimeAsync(1000);
      expect(pool.stats().warm).toBeGreaterThanOrEqual(2);
    }
    expect(first.every((sandbox) => !engine.alive.has(sandbox))).toBe(true);
    await closed(pool);
  });

  it('counts a reserved place as taken until it is cancelled', async () => {
    const { pool } = make({ minIdle: 1, tuning: { maxSize: 1 } });
    await filled(pool, 1);
    const giveBack = pool.reserve('a');
    expect(pool.hasCapacity('a')).toBe(false);
    const settled = vi.fn();
    const there = pool.whenCapacity('a', NEVER).then(settled);
    await vi.advanceTimersByTimeAsync(1000);
    expect(settled).not.toHaveBeenCalled();
    // The sandbox itself goes to the next caller.
    giveBack();
    giveBack();
    await vi.advanceTimersByTimeAsync(1);
    await there;
    expect(pool.hasCapacity('a')).toBe(true);
    await closed(pool);
  });

  it('retries a failed removal', async () => {
    const { pool, engine } = make({ minIdle: 0 });
    const lease = await coldNow(pool);
    engine.stuck = 2;
    lease.release();
    await vi.advanceTimersByTimeAsync(5000);
    expect(engine.alive.size).toBe(0);
    await closed(pool);
  });

  it('retries removals until an engine that was down has done them', async () => {
    const { pool, engine } = make({ minIdle: 0 });
    const lease = await coldNow(pool);
    engine.stuck = Number.POSITIVE_INFINITY;
    lease.release();
    await vi.advanceTimersByTimeAsync(300_000);
    expect(pool.stats().destroying).toBe(1);
    engine.stuck = 0;
    await alive(engine, 0);
    await closed(pool);
  });

  it('removes others while one cannot be removed', async () => {
    const { pool, engine } = make({ minIdle: 0, tuning: { destroysAtOnce: 1 } });
    const [stuck, other] = [await coldNow(pool), await coldNow(pool)];
    engine.stuck = 5;
    stuck.release();
    await vi.advanceTimersByTimeAsync(100);
    engine.stuck = 0;
    other.release();
    await vi.advanceTimersByTimeAsync(100);
    expect(engine.alive.size).toBe(1);
    await closed(pool);
  });

  it('runs many jobs one at a time while a client types, and more at once afterwards', async () => {
    const { pool, engine } = make({
      minIdle: 4,
      tuning: { urgentStarts: 4, jobsWhileTyping: 1, manyJobs: 1, typingMs: 1000 },
    });
    await filled(pool, 4);
    expect(engine.busiest).toBeGreaterThan(1);
    const [typist, ...others] = Array.from({ length: 4 }, () => pool.tryAcquire('a'));
    typist?.typed(performance.now());
    engine.busiest = 0;
    for (const lease of others) lease?.release();
    await filled(pool, 4);
    await alive(engine, 5);
    expect(engine.busiest).toBe(1);
    await vi.advanceTimersByTimeAsync(1000);
    for (const _ of others) pool.tryAcquire('a')?.release();
    await filled(pool, 4);
    expect(engine.busiest).toBeGreaterThan(1);
    await closed(pool);
    expect(engine.alive.size).toBe(0);
  });

  it('a hanging removal does not block the others', async () => {
    const { pool, engine } = make({ minIdle: 3, tuning: { jobsWhileTyping: 1, manyJobs: 1, typingMs: 60_000 } });
    await filled(pool, 3);
    const [typist, hanging, other] = Array.from({ length: 3 }, () => pool.tryAcquire('a'));
    typist?.typed(performance.now());
    engine.removalsHang = true;
    hanging?.release();
    await vi.advanceTimersByTimeAsync(100);
    engine.removalsHang = false;
    other?.release();
    await filled(pool, 3);
    await alive(engine, 5);
    expect(pool.stats().destroying).toBe(1);
    engine.goOn();
    await alive(engine, 4);
    await closed(pool);
  });

  it('abandons what cannot be removed when it closes', async () => {
    const { pool, engine } = make({ minIdle: 2 });
    await filled(pool, 2);
    engine.stuck = Number.POSITIVE_INFINITY;
    await closed(pool);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('suspended, refuses waiting callers and starts nothing; resumed, continues with the live sandboxes', async () => {
    const { pool, engine } = make({ minIdle: 1, tuning: { maxSize: 2 } });
    await filled(pool, 1);
    const leases = [await coldNow(pool), await coldNow(pool)];
    const waiting = pool.acquireCold('a', NEVER).catch((error: unknown) => error);
    pool.suspend();
    expect(await waiting).toMatchObject({
      name: 'EngineError',
      message: 'the engine is not reachable',
      retryable: true,
    });
    await expect(pool.acquireCold('a', NEVER)).rejects.toThrow('the engine is not reachable');
    expect(pool.hasCapacity('a')).toBe(false);
    const settled = vi.fn();
    const capacity = pool.whenCapacity('a', NEVER).then(settled);
    for (const lease of leases) lease.release();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(settled).not.toHaveBeenCalled();
    expect(engine.asked).toBe(2);
    pool.resume();
    await capacity;
    await filled(pool, 1);
    await closed(pool);
    expect(engine.alive.size).toBe(0);
  });

  it('suspended, keeps idle sandboxes whose streams are open, and leases none', async () => {
    const { pool, engine } = make({ minIdle: 2 });
    await filled(pool, 2);
    pool.suspend();
    expect(pool.tryAcquire('a')).toBeUndefined();
    engine.oldest()?.listener?.end();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(pool.stats().warm).toBe(1);
    pool.resume();
    await filled(pool, 2);
    expect(engine.created).toBe(3);
    await closed(pool);
  });

  it('refills at once when it is resumed, whatever its back-off', async () => {
    const { pool, engine } = make({ minIdle: 2 });
    engine.failure = new EngineError('engine is away', { retryable: true });
    await vi.advanceTimersByTimeAsync(120_000);
    pool.suspend();
    engine.failure = undefined;
    pool.resume();
    await vi.advanceTimersByTimeAsync(200);
    expect(pool.stats().warm).toBe(2);
    await closed(pool);
  });

  it('drains: refuses, destroys the idle, lets live runs finish', async () => {
    const { pool, engine } = make({ minIdle: 2 });
    await filled(pool, 2);
    const lease = await coldNow(pool);
    let drained = false;
    const draining = pool.drain().finally(() => {
      drained = true;
    });
    await vi.advanceTimersByTimeAsync(1000);
    expect(drained).toBe(false);
    expect([...engine.alive]).toEqual([lease.sandbox]);
    expect(pool.tryAcquire('a')).toBeUndefined();
    await expect(pool.acquireCold('a', NEVER)).rejects.toThrow('closing');
    await expect(pool.whenCapacity('a', NEVER)).rejects.toThrow('closing');
    lease.release();
    await vi.advanceTimersByTimeAsync(1000);
    await draining;
    expect(engine.alive.size).toBe(0);
  });

  it('leaves nothing when it closes with everything in flight', async () => {
    const { pool, engine } = make({ minIdle: 4 });
    await vi.advanceTimersByTimeAsync(15);
    const closing = pool.close();
    await vi.advanceTimersByTimeAsync(1000);
    await closing;
    expect(engine.alive.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });
});

class FakeEngine implements Engine {
  readonly name = 'fake';
  readonly alive = new Set<FakeSandbox>();
  created = 0;
  asked = 0;
  destroyed = 0;
  most = 0;
  #busy = 0;
  /** Most starts and removals at once. */
  busiest = 0;
  /** Removals that fail before one works. */
  stuck = 0;
  hang = false;
  removalsHang = false;
  failure: EngineError | undefined;

  async create(_spec: SandboxSpec): Promise<Sandbox> {
    this.asked += 1;
    await this.work(10, this.hang);
    if (this.failure !== undefined) throw this.failure;
    this.created += 1;
    const sandbox = new FakeSandbox(this, `s${this.created}`);
    this.alive.add(sandbox);
    this.most = Math.max(this.most, this.alive.size);
    return sandbox;
  }

  #hanging: Array<() => void> = [];

  /** What hangs comes to its end. */
  goOn(): void {
    for (const resolve of this.#hanging.splice(0)) resolve();
  }

  /** Takes its time; where it hangs, until goOn(). */
  async work(ms: number, hangs: boolean): Promise<void> {
    this.#busy += 1;
    this.busiest = Math.max(this.busiest, this.#busy);
    await new Promise<void>((resolve) => {
      if (hangs) this.#hanging.push(resolve);
      else setTimeout(resolve, ms);
    });
    this.#busy -= 1;
  }

  oldest(): FakeSandbox | undefined {
    return this.alive.values().next().value;
  }

  async ping(): Promise<void> {}
  async imageId(): Promise<string | undefined> {
    return 'sha256:1';
  }
  async identity(): Promise<string> {
    return 'pretended';
  }
  async reap(): Promise<number> {
    return 0;
  }
  async close(): Promise<void> {}
}

class FakeSandbox implements Sandbox {
  readonly exited = new Promise<never>(() => undefined);
  readonly id: string;
  readonly #engine: FakeEngine;
  listener: SandboxListener | undefined;

  constructor(engine: FakeEngine, id: string) {
    this.#engine = engine;
    this.id = id;
  }

  listen(listener: SandboxListener): void {
    this.listener = listener;
  }

  async destroy(): Promise<void> {
    await this.#engine.work(5, this.#engine.removalsHang);
    if (this.#engine.stuck > 0) {
      this.#engine.stuck -= 1;
      throw new EngineError('stuck', { retryable: true });
    }
    this.#engine.alive.delete(this);
    this.#engine.destroyed += 1;
  }

  write(): void {}
  pause(): void {}
  resume(): void {}
  assign(): void {}
  usage(): undefined {
    return undefined;
  }
  async finalUsage(): Promise<undefined> {
    return undefined;
  }
}

function make(parts: { minIdle: number; tuning?: PoolTuning; ready?: WaitReady }): {
  pool: Pool;
  engine: FakeEngine;
} {
  const engine = new FakeEngine();
  const limits = { memoryBytes: 1, cpus: 1, pids: 1, tmpBytes: 1, tmpInodes: 1 };
  const spec: SandboxSpec = { language: 'a', class: 'run', mode: 'pipe', image: 'a', command: [], env: [], limits };
  const pool = new Pool({
    engine,
    keyPools: [{ spec, minIdle: parts.minIdle }],
    waitReady: parts.ready ?? (async () => ({ version: 'v1' })),
    tuning: { maxSize: 20, ...parts.tuning },
  });
  pool.start();
  return { pool, engine };
}

async function filled(pool: Pool, warm: number): Promise<void> {
  await until(() => pool.stats().warm === warm && pool.stats().starting === 0);
}

async function alive(engine: FakeEngine, left: number): Promise<void> {
  await until(() => engine.alive.size === left);
}

async function closed(pool: Pool): Promise<void> {
  let done = false;
  const closing = pool.close().finally(() => {
    done = true;
  });
  await until(() => done);
  await closing;
}

async function coldNow(pool: Pool): Promise<Awaited<ReturnType<Pool['acquireCold']>>> {
  const lease = pool.acquireCold('a', NEVER);
  await vi.advanceTimersByTimeAsync(200);
  return lease;
}

/** Advances the fake clock until the predicate holds. */
async function until(predicate: () => boolean): Promise<void> {
  for (let steps = 0; steps < 10_000; steps += 1) {
    if (predicate()) return;
    await vi.advanceTimersByTimeAsync(10);
  }
  throw new Error('timed out waiting for the predicate');
}
