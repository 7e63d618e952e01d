// Creates sandboxes and waits until each is READY.
import type { Engine, Sandbox, SandboxSpec } from '../run/ports.js';
import type { WaitReady } from './options.js';
import { readyWithin } from './ready.js';
import type { Ready } from './key-pool.js';

export interface StarterOptions {
  readonly engine: Engine;
  readonly waitReady: WaitReady;
  /** Deadline from started to READY, ms. */
  readonly readyTimeoutMs: number;
  /** The engine's part of a start succeeded or failed. */
  readonly onCreated: () => void;
  /** A sandbox that never got ready, to be removed. */
  readonly onUnready: (sandbox: Sandbox, spec: SandboxSpec) => void;
}

export class Starter {
  readonly #options: StarterOptions;
  #creating = 0;

  constructor(options: StarterOptions) {
    this.#options = options;
  }

  /** Starts that the engine works on now: not those that wait for READY. */
  get creating(): number {
    return this.#creating;
  }

  /** Rejects with the engine's error, or with why it did not get ready. */
  async start(spec: SandboxSpec): Promise<Ready> {
    const { waitReady, readyTimeoutMs, onUnready } = this.#options;
    const sandbox = await this.#create(spec);
    try {
      const { version } = await readyWithin(sandbox, { waitReady, timeoutMs: readyTimeoutMs });
      return { sandbox, version, spec };
    } catch (error) {
      onUnready(sandbox, spec);
      throw error;
    }
  }

  async #create(spec: SandboxSpec): Promise<Sandbox> {
    this.#creating += 1;
    try {
      return await this.#options.engine.create(spec);
    } finally {
      this.#creating -= 1;
      this.#options.onCreated();
    }
  }
}
