// Supervises the engine: watches it, reaps orphaned sandboxes, and verifies its sandboxes again after every outage or change.
import { ConfigError } from '@rungrid/kit/config';
import type { Lifecycle } from '@rungrid/kit/lifecycle';
import type { Logger } from '@rungrid/kit/logger';
import type { Pool } from '../pool/pool.js';
import type { Engine } from '../run/ports.js';
import type { SelfTest } from '../selftest/selftest.js';
import { every } from '../timers.js';
import { EngineWatch } from './engine-watch.js';

/** How often orphaned and overdue sandboxes are reaped, and the engine's identity is checked, ms. */
const RECONCILE_MS = 10_000;
/** An engine that does not answer a ping for this long hangs, ms: a loaded one takes milliseconds, a starved one a second. */
const PING_MS = 3_000;

export interface EngineMetrics {
  up(up: boolean): void;
  reaped(count: number): void;
}

export interface SupervisorParts {
  readonly engine: Pick<Engine, 'ping' | 'reap'>;
  readonly pool: Pick<Pool, 'suspend' | 'resume'>;
  readonly selfTest: Pick<SelfTest, 'check' | 'forget'>;
  readonly isAlive: (workerId: string) => Promise<boolean>;
  readonly metrics: EngineMetrics;
  readonly logger: Logger;
  /** After an outage or a change, a sandbox of the engine breaks a promise. */
  readonly onFatal: (error: Error) => void;
}

export class EngineSupervisor {
  readonly #parts: SupervisorParts;
  readonly #watch: EngineWatch;

  constructor(parts: SupervisorParts) {
    this.#parts = parts;
    const { engine, pool, selfTest, metrics, logger } = parts;
    this.#watch = new EngineWatch({
      ping: () => engine.ping({ timeoutMs: PING_MS }),
      onDown: (error) => {
        logger.warn({ err: error }, 'engine down, starts suspended');
        metrics.up(false);
        pool.suspend();
        selfTest.forget();
      },
      recover: async () => {
        // Leftovers that cannot be removed now are reaped later: they do not delay the recovery.
        await this.#reap();
        await selfTest.check();
      },
      onRecoverFailed: (error) => this.#onSelfTestFailed(error),
      onRecovered: (downMs) => {
        logger.info({ ms: Math.round(downMs) }, 'engine recovered');
        metrics.up(true);
        pool.resume();
      },
    });
  }

  get isUp(): boolean {
    return this.#watch.isUp;
  }

  /** Why the engine keeps the worker from serving, for people; empty when it does not. */
  get notReady(): string[] {
    return this.#watch.notReady;
  }

  /** A lasting connection to the engine broke. */
  connectionLost(): void {
    this.#watch.lost();
  }

  /** Reaps once, then begins to watch and reconcile, until `lifecycle` closes. */
  async start(lifecycle: Lifecycle): Promise<void> {
    this.#parts.metrics.up(true);
    await this.#reap();
    this.#watch.start();
    lifecycle.own('engine watch', () => this.#watch.stop());
    every(lifecycle, { name: 'engine reconciliation', ms: RECONCILE_MS }, () => {
      if (!this.isUp) return;
      void this.#reap();
      this.#parts.selfTest.check().catch((error: unknown) => this.#onSelfTestFailed(error));
    });
  }

  /** Never rejects. */
  async #reap(): Promise<void> {
    const { engine, isAlive, metrics, logger } = this.#parts;
    try {
      metrics.reaped(await engine.reap(isAlive));
    } catch (error) {
      logger.warn({ err: error }, 'reap failed');
    }
  }

  /** An unreachable engine is tried again; one whose sandboxes are weaker than promised ends the worker. */
  #onSelfTestFailed(error: unknown): void {
    if (error instanceof ConfigError) this.#parts.onFatal(error);
    else this.#parts.logger.warn({ err: error }, 'self-test could not run');
  }
}
