// A sandbox leased to one run; releasing it destroys it.
import type { Lease } from '../run/options.js';
import type { Sandbox } from '../run/ports.js';
import type { Ready } from './key-pool.js';

export class PoolLease implements Lease {
  readonly sandbox: Sandbox;
  readonly warm: boolean;
  readonly version: string;
  readonly #onTyped: (nowMs: number) => void;
  readonly #onRelease: (lease: PoolLease) => void;
  #released = false;

  constructor(
    ready: Ready,
    parts: { warm: boolean; onTyped: (nowMs: number) => void; onRelease: (lease: PoolLease) => void },
  ) {
    this.sandbox = ready.sandbox;
    this.version = ready.version;
    this.warm = parts.warm;
    this.#onTyped = parts.onTyped;
    this.#onRelease = parts.onRelease;
  }

  typed(nowMs: number): void {
    this.#onTyped(nowMs);
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#onRelease(this);
  }
}
