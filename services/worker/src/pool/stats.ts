// What the pool says about itself, for metrics.
import type { SandboxSpec } from '../run/ports.js';

export interface ShelfStats {
  readonly spec: SandboxSpec;
  readonly floor: number;
  readonly warm: number;
  readonly starting: number;
  readonly waiting: number;
}

export interface PoolStats {
  readonly shelves: readonly ShelfStats[];
  readonly warm: number;
  readonly starting: number;
  readonly live: number;
  readonly destroying: number;
  readonly ceiling: number;
}
