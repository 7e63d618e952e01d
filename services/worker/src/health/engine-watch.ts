// Watches the engine: asks it all the while, says when it goes away, and that it is back once what serves on it has been put right.

/** How often it is asked, ms: a ping costs it a fraction of one. */
const ASK_MS = 500;
/** Pause after a recovery that failed, ms: it starts sandboxes, and what it failed on takes longer than a ping to pass. */
const RECOVER_AGAIN_MS = 3_000;

export interface EngineWatchOptions {
  /** Rejects when it does not answer in time. */
  readonly ping: () => Promise<void>;
  /** It is away. Called once, until onBack. */
  readonly onAway: (error: unknown) => void;
  /** It answers again: settles when it may serve. Tried again after a rejection. */
  readonly recover: () => Promise<void>;
  readonly onRecoverFailed: (error: unknown) => void;
  /** It serves again, after so long. */
  readonly onBack: (awayMs: number) => void;
}

export class EngineWatch {
  readonly #options: EngineWatchOptions;
  #state: 'up' | 'away' | 'recovering' = 'up';
  /** Counts what was lost: a recovery that began before does not hold. */
  #losses = 0;
  #awaySinceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #stopped = false;

  /** The engine is taken to be up. */
  constructor(options: EngineWatchOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** What keeps a worker on this engine from serving, for people. */
  get notReady(): string[] {
    if (this.#state === 'up') return [];
    return [this.#state === 'away' ? 'engine is not reachable' : 'engine is back, its sandboxes are being proved'];
  }

  start(): void {
    this.#arm(ASK_MS);
  }

  /** Asks no more. A recovery under way ends without a word. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** A lasting connection broke: what was on the engine may be gone, however soon it answers again. */
  lost(): void {
    this.#leave(new Error('the engine ended a connection'));
    this.#arm(0);
  }

  async #look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    const pauseMs = await this.#ask();
    this.#looking = false;
    this.#arm(pauseMs);
  }

  /** Returns the pause until it is asked again, ms. */
  async #ask(): Promise<number> {
    try {
      await this.#options.ping();
    } catch (error) {
      this.#leave(error);
      return ASK_MS;
    }
    return this.#state === 'up' || (await this.#recovered()) ? ASK_MS : RECOVER_AGAIN_MS;
  }

  async #recovered(): Promise<boolean> {
    const losses = this.#losses;
    this.#state = 'recovering';
    try {
      await this.#options.recover();
    } catch (error) {
      if (!this.#stopped) this.#options.onRecoverFailed(error);
      this.#leave(error);
      return false;
    }
    if (this.#stopped || losses !== this.#losses) return true;
    this.#state = 'up';
    this.#options.onBack(performance.now() - this.#awaySinceMs);
    return true;
  }

  #leave(error: unknown): void {
    const wasUp = this.#state === 'up';
    this.#losses += 1;
    this.#state = 'away';
    if (!wasUp || this.#stopped) return;
    this.#awaySinceMs = performance.now();
    this.#options.onAway(error);
  }

  #arm(pauseMs: number): void {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#look(), pauseMs);
  }
}
