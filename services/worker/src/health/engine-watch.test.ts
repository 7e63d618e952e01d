// Rules of when an engine counts as down and as recovered, with a fake clock.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EngineWatch } from './engine-watch.js';

describe('EngineWatch', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('reports an outage once, and its end once', async () => {
    const { watch, engine, calls } = make();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(calls).toEqual([]);
    expect(watch.notReady).toEqual([]);
    engine.error = new Error('refused');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(calls).toEqual(['down: refused']);
    expect(watch.notReady).toEqual(['engine is not reachable']);
    engine.error = undefined;
    await vi.advanceTimersByTimeAsync(600);
    expect(calls).toEqual(['down: refused', 'recover', 'recovered']);
    expect(watch.isUp).toBe(true);
    watch.stop();
  });

  it('does not serve before the recovery succeeds, and retries a failed one', async () => {
    const { watch, engine, calls } = make();
    engine.error = new Error('refused');
    await vi.advanceTimersByTimeAsync(600);
    engine.error = undefined;
    engine.recovery = () => Promise.reject(new Error('not verified'));
    await vi.advanceTimersByTimeAsync(600);
    expect(calls).toEqual(['down: refused', 'recover', 'failed: not verified']);
    let verified = (): void => undefined;
    engine.recovery = () =>
      new Promise((resolve) => {
        verified = resolve;
      });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(calls).toEqual(['down: refused', 'recover', 'failed: not verified', 'recover']);
    expect(watch.notReady).toEqual(['engine is recovering, its sandboxes are being verified']);
    verified();
    await vi.advanceTimersByTimeAsync(0);
    expect(calls.at(-1)).toBe('recovered');
    watch.stop();
  });

  it('recovers after a connection broke, even when the engine answers at once', async () => {
    const { watch, calls } = make();
    watch.lost();
    expect(watch.isUp).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls).toEqual(['down: the engine ended a connection', 'recover', 'recovered']);
    watch.stop();
  });

  it('recovers again when a connection breaks during a recovery', async () => {
    const { watch, engine, calls } = make();
    let verified = (): void => undefined;
    engine.recovery = () =>
      new Promise((resolve) => {
        verified = resolve;
      });
    watch.lost();
    await vi.advanceTimersByTimeAsync(1);
    watch.lost();
    engine.recovery = async () => undefined;
    verified();
    await vi.advanceTimersByTimeAsync(1);
    expect(watch.isUp).toBe(false);
    await vi.advanceTimersByTimeAsync(600);
    expect(calls).toEqual(['down: the engine ended a connection', 'recover', 'recover', 'recovered']);
    watch.stop();
  });

  it('neither pings nor reports once it is stopped', async () => {
    const { watch, engine, calls } = make();
    engine.error = new Error('refused');
    watch.stop();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(calls).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

function make() {
  const calls: string[] = [];
  const engine: { error: Error | undefined; recovery: () => Promise<void> } = {
    error: undefined,
    recovery: async () => undefined,
  };
  const watch = new EngineWatch({
    ping: async () => {
      if (engine.error !== undefined) throw engine.error;
    },
    onDown: (error) => calls.push(`down: ${(error as Error).message}`),
    recover: () => {
      calls.push('recover');
      return engine.recovery();
    },
    onRecoverFailed: (error) => calls.push(`failed: ${(error as Error).message}`),
    onRecovered: () => calls.push('recovered'),
  });
  watch.start();
  return { watch, engine, calls };
}
