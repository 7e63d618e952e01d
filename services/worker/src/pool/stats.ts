// A snapshot of the pool, for metrics.
import type { SandboxSpec } from '../run/ports.js';

export interface KeyPoolStats {
  readonly spec: SandboxSpec;
  readonly minIdle: number;
  readonly warm: number;
  readonly starting: number;
  readonly waiting: number;
}

export interface PoolStats {
  readonly keyPools: readonly KeyPoolStats[];
  readonly warm: number;
  readonly starting: number;
  readonly live: number;
  readonly destroying: number;
  readonly maxSize: number;
}
