// One subscription to the engine's events for all sandboxes of this worker; reconnects until closed.
import { backoffMs } from '@rungrid/kit/backoff';
import type { Readable } from 'node:stream';
import { type DockerApi, type EngineEvent, parseEvent } from './api.js';

/** A line is about 1 KB; one that grows past this is not an event and ends the connection. */
const MAX_LINE_CHARS = 65_536;
/** First and longest pause before connecting again, ms: a restarting engine is back within seconds. */
const RECONNECT = { firstMs: 100, longestMs: 5000 };

export class EngineEvents {
  readonly #api: DockerApi;
  readonly #owner: string;
  readonly #onEvent: (event: EngineEvent) => void;
  readonly #onLost: () => void;
  #stream: Readable | undefined;
  #timer: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  /** `onLost`: an open connection ended without close(). */
  constructor(
    api: DockerApi,
    subscription: { owner: string; onEvent: (event: EngineEvent) => void; onLost: () => void },
  ) {
    this.#api = api;
    this.#owner = subscription.owner;
    this.#onEvent = subscription.onEvent;
    this.#onLost = subscription.onLost;
  }

  /** Connects. Never rejects: without events the sandbox polls for its exit state, which is slower. */
  async open(): Promise<void> {
    if (this.#closed) return;
    try {
      const stream = await this.#api.events(this.#owner);
      if (this.#closed) stream.destroy();
      else this.#read(stream);
    } catch {
      // The engine is unreachable; create() and ping() report that, here it is only retried.
      this.#retry();
    }
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stream?.destroy();
  }

  #read(stream: Readable): void {
    this.#stream = stream;
    this.#failures = 0;
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) this.#take(stream, line);
      if (rest.length > MAX_LINE_CHARS) stream.destroy();
    });
    stream.on('error', () => stream.destroy());
    stream.on('end', () => stream.destroy());
    stream.once('close', () => {
      if (!this.#closed) this.#onLost();
      this.#retry();
    });
  }

  #take(stream: Readable, line: string): void {
    if (line.trim() === '') return;
    try {
      const event = parseEvent(line);
      if (event !== undefined) this.#onEvent(event);
    } catch (error) {
      stream.destroy(error instanceof Error ? error : undefined);
    }
  }

  #retry(): void {
    this.#stream = undefined;
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.open(), backoffMs((this.#failures += 1), RECONNECT));
    this.#timer.unref();
  }
}
