// Keeps what serves on the engine in order: watches it, reaps it, holds its sandboxes to what was proved of them.
import { ConfigError } from '@rungrid/kit/config';
import type { Lifecycle } from '@rungrid/kit/lifecycle';
import type { Logger } from '@rungrid/kit/logger';
import type { WorkerMetrics } from './metrics.js';
import { EngineWatch } from './pool/engine-watch.js';
import type { Pool } from './pool/pool.js';
import type { Engine } from './run/ports.js';
import type { SelfTest } from './selftest/selftest.js';
import { every } from './timers.js';

/** How often orphans of dead workers and overdue sandboxes are looked for, ms. */
const JANITOR_MS = 10_000;
/** An engine that does not answer a ping for so long hangs, ms: a loaded one takes milliseconds, a starved one a second. */
const PING_MS = 3_000;

export interface CareParts {
  readonly engine: Engine;
  readonly pool: Pool;
  readonly selfTest: SelfTest;
  readonly isAlive: (workerId: string) => Promise<boolean>;
  readonly lifecycle: Lifecycle;
  readonly metrics: WorkerMetrics;
  readonly logger: Logger;
  /** The engine came back weaker than what was proved. */
  readonly onFatal: (error: Error) => void;
}

/** The watch; it does nothing before startCare(). */
export function engineWatch(parts: CareParts): EngineWatch {
  const { engine, pool, selfTest, metrics, logger } = parts;
  return new EngineWatch({
    ping: () => engine.ping({ timeoutMs: PING_MS }),
    onAway: (error) => {
      logger.warn({ err: error }, 'the engine is away: nothing is started until it is back');
      metrics.engineUp.set(0);
      pool.suspend();
      selfTest.forget();
    },
    recover: async () => {
      // What cannot be removed now is the janitor's: it keeps nobody from serving.
      await reap(parts);
      await selfTest.check();
    },
    onRecoverFailed: (error) => onSelfTestFault(parts, error),
    onBack: (awayMs) => {
      logger.info({ ms: Math.round(awayMs) }, 'engine recovered');
      metrics.engineUp.set(1);
      pool.resume();
    },
  });
}

/** Sweeps once, then begins to watch, and to reap and prove now and again. What it starts is the lifecycle's. */
export async function startCare(watch: EngineWatch, parts: CareParts): Promise<void> {
  const { lifecycle, selfTest, metrics } = parts;
  metrics.engineUp.set(1);
  await reap(parts);
  watch.start();
  lifecycle.own('engine watch', () => watch.stop());
  every(lifecycle, { name: 'janitor', ms: JANITOR_MS }, () => {
    if (watch.isUp) void reap(parts);
  });
  every(lifecycle, { name: 'self-test', ms: JANITOR_MS }, () => {
    if (watch.isUp) selfTest.check().catch((error: unknown) => onSelfTestFault(parts, error));
  });
}

/** Never rejects. */
async function reap({ engine, isAlive, metrics, logger }: CareParts): Promise<void> {
  try {
    metrics.reaped.inc(await engine.reap(isAlive));
  } catch (error) {
    logger.warn({ err: error }, 'reap failed');
  }
}

/** An engine that is away is asked again; one that came back weaker ends the worker. */
function onSelfTestFault({ logger, onFatal }: CareParts, error: unknown): void {
  if (error instanceof ConfigError) onFatal(error);
  else logger.warn({ err: error }, 'self-test could not run');
}
