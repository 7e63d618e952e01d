// A typed client over `ws`: sends frames, collects every event, hands each to its run.
import { randomBytes } from 'node:crypto';
import type { RunCode, ServerEvents, ServerFrame } from '@rungrid/proto/frames';
import { WebSocket } from 'ws';
import { RunHandle, type RunFrame } from './run-handle.js';
import { until, type UntilOptions } from '@rungrid/testkit/until';

export interface ClientOptions {
  /** ws://…/ws */
  readonly url: string;
  /** Origin header; default none. */
  readonly origin?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly protocols?: readonly string[];
  /** Makes the token of a run for this client's origin. */
  readonly mint: (origin: string) => string;
}

export type RunOptions = Partial<Omit<RunCode, 'code' | 'language' | 'run'>> & {
  /** The run's name; default: a fresh one; null: the unnamed run. */
  readonly run?: string | null;
};

export class Client {
  readonly origin: string;
  /** Everything that came, in order. */
  readonly events: ServerFrame[] = [];
  /** How the socket ended. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly runs: RunHandle[] = [];
  readonly #socket: WebSocket;
  readonly #mint: (origin: string) => string;
  #close: { code: number; reason: string } | undefined;

  constructor(options: ClientOptions) {
    this.origin = options.origin ?? '';
    this.#mint = options.mint;
    this.#socket = new WebSocket(options.url, [...(options.protocols ?? [])], {
      ...(options.origin === undefined ? {} : { origin: options.origin }),
      headers: { ...options.headers },
      perMessageDeflate: false,
    });
    this.closed = new Promise((resolve) => {
      this.#socket.once('close', (code, reason) => {
        this.#close = { code, reason: reason.toString() };
        resolve(this.#close);
      });
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('message', (data: Buffer) => this.#onFrame(JSON.parse(data.toString('utf8')) as ServerFrame));
  }

  get socket(): WebSocket {
    return this.#socket;
  }
  get closeInfo(): { code: number; reason: string } | undefined {
    return this.#close;
  }

  async opened(): Promise<void> {
    await until(() => this.#socket.readyState !== WebSocket.CONNECTING, { what: 'the socket to open' });
  }

  async hello(): Promise<ServerEvents['hello']> {
    return this.event('hello');
  }

  /** The data of the first event of that name (of those that `match`). */
  async event<E extends ServerFrame['event']>(
    name: E,
    match: (data: ServerEvents[E]) => boolean = () => true,
  ): Promise<ServerEvents[E]> {
    const find = () => this.events.find((frame) => frame.event === name && match(frame.data as ServerEvents[E]));
    const frame = await this.waitFor(find, { what: `event ${name}` });
    return frame.data as ServerEvents[E];
  }

  async waitFor<T>(probe: () => T, options: { what?: string; timeoutMs?: number } = {}) {
    const patience: UntilOptions = {
      what: () => `${options.what ?? 'an event'}; ${this.describe()}`,
      timeoutMs: options.timeoutMs ?? 10_000,
    };
    return until(probe, patience);
  }

  send(event: string, data: unknown): void {
    this.sendText(JSON.stringify({ event, data }));
  }

  sendText(text: string): void {
    this.#socket.send(text);
  }

  /** Sends run_code with a fresh token. */
  run(code: string, language: string, options: RunOptions = {}): RunHandle {
    const { run = `r-${randomBytes(6).toString('hex')}`, ...rest } = options;
    const handle = this.#handle(run ?? undefined);
    this.send('run_code', {
      code,
      language,
      token: this.#mint(this.origin),
      ...(run === null ? {} : { run }),
      ...rest,
    });
    return handle;
  }

  /** Resumes a run that has started, after the seq `after`. */
  resume(ask: { readonly key: string; readonly after: number; readonly run?: string }): RunHandle {
    const { run = `r-${randomBytes(6).toString('hex')}`, key, after } = ask;
    const handle = this.#handle(run, after);
    this.send('resume', { run, key, after });
    return handle;
  }

  /** Closes the socket and waits for it. */
  async close(): Promise<void> {
    this.#socket.close(1000);
    const timer = setTimeout(() => this.#socket.terminate(), 2_000);
    await this.closed;
    clearTimeout(timer);
  }

  /** Cuts the connection, without a close frame. */
  vanish(): void {
    this.#socket.terminate();
  }

  describe(): string {
    return `last events: ${this.events
      .slice(-5)
      .map((frame) => JSON.stringify(frame).slice(0, 200))
      .join(' ')}; ${this.describeSocket()}`;
  }

  describeSocket(): string {
    return this.#close === undefined ? 'socket open' : `socket closed with ${this.#close.code} ${this.#close.reason}`;
  }

  #handle(name: string | undefined, after?: number): RunHandle {
    const transport = {
      send: (event: string, data: unknown) => this.send(event, data),
      isClosed: () => this.#close !== undefined,
      describe: () => this.describeSocket(),
    };
    const handle = new RunHandle(name, transport, after);
    this.runs.push(handle);
    return handle;
  }

  #onFrame(frame: ServerFrame): void {
    this.events.push(frame);
    const run = (frame.data as { run?: string } | null)?.run;
    switch (frame.event) {
      case 'queued':
      case 'resumed':
      case 'started':
      case 'compile':
      case 'stdout':
      case 'stderr':
      case 'exit':
      case 'error':
        this.#runOf(run, frame)?.take(frame);
        break;
      case 'hello':
      case 'draining':
      case 'pong':
        break;
    }
  }

  /** The youngest run of that name. An unnamed error may be about the socket as well: it goes to the unnamed run if one lives. */
  #runOf(name: string | undefined, frame: RunFrame): RunHandle | undefined {
    const found = this.runs.findLast((run) => run.name === name);
    if (name === undefined && frame.event === 'error' && found?.ended !== undefined) return undefined;
    return found;
  }
}
