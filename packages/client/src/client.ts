// The protocol's client: one connection that is kept, and any number of runs on it.
import type { ClientEvent, ServerEvents, ServerFrame } from '@rungrid/proto/frames';
import { Connection, type ConnectionOptions, type ConnectionState } from './connection.js';
import type { ResumeRequest, RunRequest } from './requests.js';
import { type OnEvent, Run } from './run.js';
import { StdinPace } from './stdin.js';
import { type TokenSource, TokenStock } from './tokens.js';

/** The resume window of a gateway that does not say it: as delivered. */
const RESUME_MS = 30_000;
/** Close code of a gateway that restarts: it keeps its started runs, whatever they asked for. */
const RESTART = 1012;

export interface ClientOptions extends ConnectionOptions {
  /** Makes the tokens of runs that are requested without one; one is fetched ahead. Default: none, every request brings its own. */
  readonly token?: TokenSource;
}

export interface RunOptions {
  /** Called with each event as it comes, in place of the async iteration: for what must not wait a turn of the event loop. */
  readonly onEvent?: OnEvent;
}

export class Client {
  readonly #options: ClientOptions;
  readonly #connection: Connection;
  readonly #tokens: TokenStock | undefined;
  /** Live runs by name; the unnamed one by ''. */
  readonly #runs = new Map<string, Run>();
  #hello: ServerEvents['hello'] | undefined;
  #pace: StdinPace | undefined;
  #isLeaving = false;
  /** Runs whose reader has fallen behind. */
  #slow = 0;
  #count = 0;

  /** Does nothing before `connect`, `run` or `resume`. */
  constructor(options: ClientOptions) {
    this.#options = options;
    this.#tokens = options.token === undefined ? undefined : new TokenStock(options.token);
    this.#connection = new Connection({
      ...options,
      isBusy: () => this.#runs.size > 0,
      onFrame: (frame, atMs) => this.#receive(frame, atMs),
      onState: (state) => this.#changed(state),
    });
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** The server's limits and languages, as its last `hello` has them. Undefined before the first one. */
  get hello(): ServerEvents['hello'] | undefined {
    return this.#hello;
  }

  /** Runs that have not ended. */
  get liveRuns(): number {
    return this.#runs.size;
  }

  /** Connects, or tries again at once when an attempt is due later. Throws what `WebSocket` throws for a bad URL. */
  connect(): void {
    this.#connection.connect();
  }

  /** Ends the connection for good, and with it its runs: they are `lost` here, and those to be kept can be resumed by another client. */
  close(): void {
    this.#connection.close();
  }

  /** Starts a run; without a connection, as soon as there is one. Throws when a live run has its name. Refusals are its `error` event. */
  run(request: RunRequest, options: RunOptions = {}): Run {
    return this.#add(request, options);
  }

  /** Goes on with a run of another connection. What it had been sent as stdin and did not receive is the caller's to send again. */
  resume(request: ResumeRequest, options: RunOptions = {}): Run {
    return this.#add(request, options);
  }

  /** Sends any frame as it is. false: the connection is not open. */
  send(event: ClientEvent, data: unknown): boolean {
    return this.#connection.send(event, data);
  }

  #add(request: RunRequest | ResumeRequest, { onEvent }: RunOptions): Run {
    const name = request.run === undefined ? this.#freshName() : (request.run ?? undefined);
    // A gateway that drains would refuse it.
    if (this.#isLeaving && this.#runs.size === 0 && this.#options.reconnect !== false) this.#connection.leave();
    if (this.#runs.has(name ?? '')) throw new Error(`a run of the name "${name ?? ''}" is live`);
    const run = new Run(request, {
      port: {
        send: (event, data) => this.#connection.send(event, data),
        takeToken: () => this.#takeToken(),
        resumeWindowMs: () => this.#hello?.limits?.resume_ms ?? RESUME_MS,
        takeStdinPermit: () => this.#pace?.take() ?? 0,
        setPaused: (isPaused) => this.#setPaused(isPaused),
        release: () => this.#runs.delete(name ?? ''),
      },
      ...(name === undefined ? {} : { name }),
      ...(onEvent === undefined ? {} : { onEvent }),
    });
    this.#runs.set(name ?? '', run);
    const { state } = this.#connection;
    // Not before the caller has the run.
    if (state.kind === 'closed') queueMicrotask(() => run.lose(closedWith(state)));
    else if (state.kind === 'open') run.opened();
    else if (state.kind === 'waiting' && state.delayMs === undefined) this.#connection.connect();
    return run;
  }

  /** Of no run that is live on this connection. Names mean nothing beyond it. */
  #freshName(): string {
    for (;;) {
      const name = `run-${++this.#count}`;
      if (!this.#runs.has(name)) return name;
    }
  }

  async #takeToken(): Promise<string> {
    if (this.#tokens === undefined) throw new Error('there is no token: give the run one, or the client a source');
    const token = await this.#tokens.take();
    this.#tokens.prepare();
    return token;
  }

  #receive(frame: ServerFrame, atMs: number): void {
    switch (frame.event) {
      case 'hello':
        this.#hello = frame.data;
        this.#pace = new StdinPace(frame.data.limits?.frames_per_second);
        break;
      case 'draining':
        this.#isLeaving = true;
        break;
      case 'pong':
        this.#confirmed(frame.data);
        break;
      case 'queued':
      case 'resumed':
      case 'started':
      case 'compile':
      case 'stdout':
      case 'stderr':
      case 'exit':
      case 'error':
        this.#runs.get(frame.data.run ?? '')?.receive(frame, atMs);
        break;
    }
    this.#options.onFrame?.(frame, atMs);
  }

  #changed(state: ConnectionState): void {
    if (state.kind === 'open') {
      this.#isLeaving = false;
      this.#slow = 0;
      this.#tokens?.prepare();
    }
    this.#options.onState?.(state);
    for (const run of this.#runs.values()) {
      if (state.kind === 'open') run.opened();
      else if (state.kind === 'waiting')
        run.disconnected('the connection was lost', this.#isLeaving || state.close?.code === RESTART);
      else if (state.kind === 'closed') run.lose(closedWith(state));
    }
    // Closed for want of use just as a run was requested.
    if (state.kind === 'waiting' && state.delayMs === undefined && this.#runs.size > 0) this.#connection.connect();
  }

  /** The answer to a ping: those behind stdin name its run. */
  #confirmed(data: unknown): void {
    const name = (data as { readonly stdin?: unknown } | null)?.stdin;
    if (typeof name === 'string') this.#runs.get(name)?.confirmed();
  }

  #setPaused(isPaused: boolean): void {
    this.#slow = Math.max(0, this.#slow + (isPaused ? 1 : -1));
    this.#connection.setPaused(this.#slow > 0);
  }
}

function closedWith({ close }: Extract<ConnectionState, { kind: 'closed' }>): string {
  return `the connection was closed (${close.code} ${close.reason})`;
}
