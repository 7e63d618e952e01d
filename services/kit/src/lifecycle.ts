// What starts has an owner that stops it: a list of closers that run once, in reverse order, each under a deadline.
import type { Logger } from './logger.js';

/** How long one closer may take by default, ms, before the next one runs anyway. */
const CLOSER_TIMEOUT_MS = 15_000;

export class Lifecycle {
  readonly #closers: { name: string; close: () => Promise<void> | void; timeoutMs: number }[] = [];
  readonly #logger: Logger;
  #closed: Promise<void> | undefined;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Registers a closer. The last one registered closes first. `timeoutMs`: how long it may take, ms. */
  own(name: string, close: () => Promise<void> | void, options: { timeoutMs?: number } = {}): void {
    this.#closers.push({ name, close, timeoutMs: options.timeoutMs ?? CLOSER_TIMEOUT_MS });
  }

  /** Closes everything once; later calls get the same promise. Never rejects: errors are logged. */
  close(): Promise<void> {
    this.#closed ??= this.#closeAll();
    return this.#closed;
  }

  /** Closes on SIGTERM and SIGINT, then exits with 0; a second signal exits at once with 1. */
  closeOnSignals(): void {
    let asked = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (asked) process.exit(1);
      asked = true;
      this.#logger.info({ signal }, 'closing');
      void this.close().then(() => process.exit(0));
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  }

  async #closeAll(): Promise<void> {
    for (const { name, close, timeoutMs } of this.#closers.toReversed()) {
      try {
        await withDeadline(Promise.resolve(close()), { timeoutMs, what: `closing ${name}` });
      } catch (error) {
        this.#logger.error({ err: error, name }, 'close failed');
      }
    }
  }
}

/** Rejects when `promise` takes longer than `timeoutMs`; the work itself is not cancelled. */
export async function withDeadline<T>(promise: Promise<T>, options: { timeoutMs: number; what: string }): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`${options.what} took longer than ${options.timeoutMs} ms`)),
      options.timeoutMs,
    );
  });
  try {
    return await Promise.race([promise, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
