// When an engine counts as away, and when as back, on a clock that only pretends.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { EngineWatch } from './engine-watch.js';

describe('EngineWatch', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('says once that the engine is away, and once that it is back', async () => {
    const { watch, engine, said } = make();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(said).toEqual([]);
    expect(watch.notReady).toEqual([]);
    engine.fault = new Error('refused');
    await vi.advanceTimersByTimeAsync(5_000);
    expect(said).toEqual(['away: refused']);
    expect(watch.notReady).toEqual(['engine is not reachable']);
    engine.fault = undefined;
    await vi.advanceTimersByTimeAsync(600);
    expect(said).toEqual(['away: refused', 'recover', 'back']);
    expect(watch.isUp).toBe(true);
    watch.stop();
  });

  it('does not serve before the recovery is through, and tries again what fails', async () => {
    const { watch, engine, said } = make();
    engine.fault = new Error('refused');
    await vi.advanceTimersByTimeAsync(600);
    engine.fault = undefined;
    engine.recovery = () => Promise.reject(new Error('no proof'));
    await vi.advanceTimersByTimeAsync(600);
    expect(said).toEqual(['away: refused', 'recover', 'failed: no proof']);
    let proved = (): void => undefined;
    engine.recovery = () =>
      new Promise((resolve) => {
        proved = resolve;
      });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(said).toEqual(['away: refused', 'recover', 'failed: no proof', 'recover']);
    expect(watch.notReady).toEqual(['engine is back, its sandboxes are being proved']);
    proved();
    await vi.advanceTimersByTimeAsync(0);
    expect(said.at(-1)).toBe('back');
    watch.stop();
  });

  it('recovers after a connection broke, even when the engine answers at once', async () => {
    const { watch, said } = make();
    watch.lost();
    expect(watch.isUp).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(said).toEqual(['away: the engine ended a connection', 'recover', 'back']);
    watch.stop();
  });

  it('recovers anew when a connection breaks while it recovers', async () => {
    const { watch, engine, said } = make();
    let proved = (): void => undefined;
    engine.recovery = () =>
      new Promise((resolve) => {
        proved = resolve;
      });
    watch.lost();
    await vi.advanceTimersByTimeAsync(1);
    watch.lost();
    engine.recovery = async () => undefined;
    proved();
    await vi.advanceTimersByTimeAsync(1);
    expect(watch.isUp).toBe(false);
    await vi.advanceTimersByTimeAsync(600);
    expect(said).toEqual(['away: the engine ended a connection', 'recover', 'recover', 'back']);
    watch.stop();
  });

  it('asks and says nothing once it is stopped', async () => {
    const { watch, engine, said } = make();
    engine.fault = new Error('refused');
    watch.stop();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(said).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

function make() {
  const said: string[] = [];
  const engine: { fault: Error | undefined; recovery: () => Promise<void> } = {
    fault: undefined,
    recovery: async () => undefined,
  };
  const watch = new EngineWatch({
    ping: async () => {
      if (engine.fault !== undefined) throw engine.fault;
    },
    onAway: (error) => said.push(`away: ${(error as Error).message}`),
    recover: () => {
      said.push('recover');
      return engine.recovery();
    },
    onRecoverFailed: (error) => said.push(`failed: ${(error as Error).message}`),
    onBack: () => said.push('back'),
  });
  watch.start();
  return { watch, engine, said };
}
