// Watches the engine: pings it, reports an outage, and reports recovery once the recovery steps have succeeded.

/** How often it is pinged, ms: a ping costs it a fraction of one. */
const PING_EVERY_MS = 500;
/** Pause after a failed recovery, ms: it starts sandboxes, and its causes last longer than a ping. */
const RETRY_RECOVERY_MS = 3_000;

export interface EngineWatchOptions {
  /** Rejects when it does not answer in time. */
  readonly ping: () => Promise<void>;
  /** It is down. Called once, until onRecovered. */
  readonly onDown: (error: unknown) => void;
  /** It answers again: settles when it may serve. Retried after a rejection. */
  readonly recover: () => Promise<void>;
  readonly onRecoverFailed: (error: unknown) => void;
  /** It serves again, after an outage of `downMs`. */
  readonly onRecovered: (downMs: number) => void;
}

export class EngineWatch {
  readonly #options: EngineWatchOptions;
  #state: 'up' | 'down' | 'recovering' = 'up';
  /** Counts outages: a recovery that began before the last one does not hold. */
  #losses = 0;
  #downSinceMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #checking = false;
  #stopped = false;

  /** The engine is taken to be up. */
  constructor(options: EngineWatchOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#state === 'up';
  }

  /** Why the engine keeps a worker from serving, for people. */
  get notReady(): string[] {
    if (this.#state === 'up') return [];
    return [
      this.#state === 'down' ? 'engine is not reachable' : 'engine is recovering, its sandboxes are being verified',
    ];
  }

  start(): void {
    this.#arm(PING_EVERY_MS);
  }

  /** Stops pinging. A recovery in flight ends silently. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  /** A lasting connection broke: the sandboxes may be lost, however soon the engine answers again. */
  lost(): void {
    this.#down(new Error('the engine ended a connection'));
    this.#arm(0);
  }

  async #check(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    const pauseMs = await this.#ping();
    this.#checking = false;
    this.#arm(pauseMs);
  }

  /** Returns the pause until the next ping, ms. */
  async #ping(): Promise<number> {
    try {
      await this.#options.ping();
    } catch (error) {
      this.#down(error);
      return PING_EVERY_MS;
    }
    return this.#state === 'up' || (await this.#recovered()) ? PING_EVERY_MS : RETRY_RECOVERY_MS;
  }

  async #recovered(): Promise<boolean> {
    const losses = this.#losses;
    this.#state = 'recovering';
    try {
      await this.#options.recover();
    } catch (error) {
      if (!this.#stopped) this.#options.onRecoverFailed(error);
      this.#down(error);
      return false;
    }
    if (this.#stopped || losses !== this.#losses) return true;
    this.#state = 'up';
    this.#options.onRecovered(performance.now() - this.#downSinceMs);
    return true;
  }

  #down(error: unknown): void {
    const wasUp = this.#state === 'up';
    this.#losses += 1;
    this.#state = 'down';
    if (!wasUp || this.#stopped) return;
    this.#downSinceMs = performance.now();
    this.#options.onDown(error);
  }

  #arm(pauseMs: number): void {
    clearTimeout(this.#timer);
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#check(), pauseMs);
  }
}
