// Makes sandboxes, and waits until their PID 1 does.
import type { Engine, Sandbox, SandboxSpec } from '../run/ports.js';
import type { WaitReady } from './options.js';
import { readyWithin } from './ready.js';
import type { Ready } from './shelf.js';

export interface StarterOptions {
  readonly engine: Engine;
  readonly waitReady: WaitReady;
  /** Deadline from started to READY, ms. */
  readonly readyTimeoutMs: number;
  /** The engine has done its part of a start, or failed at it. */
  readonly onCreated: () => void;
  /** One that never got ready, to be removed. */
  readonly onUnready: (sandbox: Sandbox, spec: SandboxSpec) => void;
}

/** Bounded by whoever asks for starts. */
export class Starter {
  readonly #options: StarterOptions;
  #creating = 0;

  constructor(options: StarterOptions) {
    this.#options = options;
  }

  /** Starts that the engine works on at this moment: not those that only get ready. */
  get creating(): number {
    return this.#creating;
  }

  /** Rejects with what the engine says, or with why it did not get ready. */
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
