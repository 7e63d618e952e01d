// Rules of the supervisor: what an outage, a recovery and a failed self-test do, over fake parts with a fake clock.
import { ConfigError } from '@rungrid/kit/config';
import { Lifecycle } from '@rungrid/kit/lifecycle';
import { createLogger } from '@rungrid/kit/logger';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { EngineSupervisor } from './supervisor.js';

const logger = createLogger({ service: 'test', level: 'silent' });

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

async function start() {
  const calls: string[] = [];
  const note = (call: string) => () => void calls.push(call);
  const engine = { down: false, failure: undefined as Error | undefined };
  const lifecycle = new Lifecycle(logger);
  const supervisor = new EngineSupervisor({
    engine: {
      ping: async () => {
        if (engine.down) throw new Error('refused');
      },
      reap: async () => calls.push('reap'),
    },
    pool: { suspend: note('suspend'), resume: note('resume') },
    selfTest: {
      check: async () => {
        if (engine.failure !== undefined) throw engine.failure;
        calls.push('verify');
        return undefined;
      },
      forget: note('forget'),
    },
    isAlive: async () => true,
    metrics: { up: (up) => void calls.push(`up ${up}`), reaped: () => undefined },
    logger,
    onFatal: (error) => void calls.push(`fatal ${error.message}`),
  });
  await supervisor.start(lifecycle);
  return { supervisor, engine, lifecycle, calls };
}

test('an outage suspends the pool; the engine is reaped and verified before the pool resumes', async () => {
  const { supervisor, engine, lifecycle, calls } = await start();
  expect(calls.splice(0)).toEqual(['up true', 'reap']);
  engine.down = true;
  await vi.advanceTimersByTimeAsync(600);
  expect(calls.splice(0)).toEqual(['up false', 'suspend', 'forget']);
  expect(supervisor.isUp).toBe(false);
  engine.down = false;
  await vi.advanceTimersByTimeAsync(600);
  expect(calls).toEqual(['reap', 'verify', 'up true', 'resume']);
  await lifecycle.close();
});

test('a self-test that fails after a change of the engine is fatal; one that cannot run is tried again', async () => {
  const { engine, lifecycle, calls } = await start();
  calls.length = 0;
  engine.failure = new Error('timed out');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(calls.splice(0)).toEqual(['reap']);
  engine.failure = new ConfigError('weaker');
  await vi.advanceTimersByTimeAsync(10_000);
  expect(calls).toEqual(['reap', 'fatal weaker']);
  await lifecycle.close();
});
