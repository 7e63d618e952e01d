// One run as its client holds it: its events, its stdin, its end, and how it goes on over another connection when its own is lost.
import type { ClientEvent } from '@rungrid/proto/frames';
import { EventQueue } from './event-queue.js';
import { isPassing, isResumeRetryable, type RunEnd, type RunEvent, type RunFrame } from './frames.js';
import type { ResumeRequest, RunRequest, SignalName, TerminalSize } from './requests.js';
import { StdinQueue } from './stdin.js';

/** Pause before a gateway that could not serve `resume` is asked again, ms, unless it says another. */
const RESUME_RETRY_MS = 500;

/** Called with each event as it comes. `atMs`: `performance.now()` when its message came, or when the client made the event. */
export type OnEvent = (event: RunEvent, atMs: number) => void;

/** What a run needs of its client. */
export interface RunPort {
  /** Sends a frame; false: the connection is not open. */
  send(event: ClientEvent, data: unknown): boolean;
  /** The token of a run that was given none. */
  takeToken(): Promise<string>;
  /** `hello.limits.resume_ms`. */
  resumeWindowMs(): number;
  takeStdinPermit(): number;
  setPaused(isPaused: boolean): void;
  /** The run has ended. */
  release(run: Run): void;
}

type RunState =
  /** There is no connection yet, or no token. */
  | { readonly kind: 'unsent'; readonly request: RunRequest | ResumeRequest; isFetching: boolean }
  /** `run_code` was sent: it cannot be resumed until it has started. */
  | { readonly kind: 'sent'; isAccepted: boolean }
  /** Started, and on this connection. */
  | { readonly kind: 'live' }
  /** Started, and its connection was lost. Past `untilMs` there is nothing to resume. */
  | { readonly kind: 'interrupted'; readonly untilMs: number; isAsked: boolean }
  | { readonly kind: 'ended' };
type Unsent = Extract<RunState, { kind: 'unsent' }>;
type Interrupted = Extract<RunState, { kind: 'interrupted' }>;

export class Run implements AsyncIterable<RunEvent> {
  /** Its name on the connection; undefined: the unnamed run. */
  readonly name: string | undefined;
  /** Resolves with the last event. Never rejects. */
  readonly ended: Promise<RunEnd>;
  readonly #port: RunPort;
  readonly #onEvent: OnEvent | undefined;
  readonly #queue: EventQueue;
  readonly #stdin: StdinQueue;
  /** Whether it outlives its connection, as far as is known. */
  readonly #isKept: boolean;
  #state: RunState;
  /** Ends the timers of the state. */
  #leave: () => void = () => undefined;
  #resolve: (end: RunEnd) => void = () => undefined;
  #seq = 0;
  #resumeKey: string | undefined;
  #sentMs: number | undefined;
  #isStopped = false;
  #isRead = false;

  /** @internal Made by `Client`. */
  constructor(request: RunRequest | ResumeRequest, given: { port: RunPort; name?: string; onEvent?: OnEvent }) {
    const { port, name, onEvent } = given;
    this.name = name;
    this.#port = port;
    this.#onEvent = onEvent;
    this.#state = { kind: 'unsent', request, isFetching: false };
    this.#isKept = 'key' in request || request.on_disconnect === 'keep';
    if ('key' in request) {
      this.#resumeKey = request.key;
      this.#seq = request.after;
    }
    this.ended = new Promise((resolve) => {
      this.#resolve = resolve;
    });
    this.#queue = new EventQueue((isPaused) => port.setPaused(isPaused));
    this.#stdin = new StdinQueue({
      sendText: (text) => {
        this.send('stdin', { text });
        port.send('ping', { stdin: name ?? '' });
      },
      sendClose: () => this.send('stdin_close', {}),
      takePermit: () => port.takeStdinPermit(),
    });
  }

  /** `seq` of the last event; 0: none came. */
  get seq(): number {
    return this.#seq;
  }

  /** `started.resume_key`, a secret: who has it can take the run over. Undefined before `started`. */
  get resumeKey(): string | undefined {
    return this.#resumeKey;
  }

  /** When its request was handed to the socket, ms of `performance.now()`. Undefined before. */
  get sentMs(): number | undefined {
    return this.#sentMs;
  }

  /** Whether its connection was lost, and it was not resumed yet. */
  get isInterrupted(): boolean {
    return this.#state.kind === 'interrupted';
  }

  /**
   * Types `text` to the program. Resolves once it is sent, so that awaiting it holds a fast source to the program's pace. Never rejects. What a
   * lost connection took with it is sent again after the resume. After the end, and after `closeStdin`, it does nothing.
   */
  write(text: string): Promise<void> {
    return this.#stdin.write(text);
  }

  /** The program reads EOF after what was written. */
  closeStdin(): void {
    this.#stdin.end();
  }

  /** Sends a signal to the program. false: there is no connection just now, and it was not sent. */
  signal(name: SignalName): boolean {
    return this.send('signal', { name });
  }

  /** Sets the size of the program's terminal. false: there is no connection just now, and it was not sent. */
  resize({ cols, rows }: TerminalSize): boolean {
    return this.send('resize', { cols, rows });
  }

  /** Ends the program: `exit` with reason `stopped` follows. Without a connection it is sent after the resume; a run that was not sent yet is `lost`. */
  stop(): void {
    this.#isStopped = true;
    if (this.#state.kind === 'unsent') this.lose('stopped before it was sent');
    else this.send('stop', {});
  }

  /** Sends a frame about this run as it is. For `stdin` use `write`, which keeps within the windows and survives a lost connection. false: not sent. */
  send(event: ClientEvent, data: object): boolean {
    return this.#port.send(event, this.name === undefined ? data : { ...data, run: this.name });
  }

  /**
   * The events, in order, up to the end. A reader that falls behind holds up the connection, and so its programs, where the socket can be paused.
   * A loop that is left early drops the rest, and the run goes on. Throws for a run with `onEvent`, and for a second loop.
   */
  [Symbol.asyncIterator](): AsyncIterator<RunEvent, undefined> {
    if (this.#onEvent !== undefined || this.#isRead) throw new Error('the events of this run have a reader');
    this.#isRead = true;
    return this.#queue.read();
  }

  /** @internal The connection is open. */
  opened(): void {
    if (this.#state.kind === 'unsent') this.#submit(this.#state);
    else if (this.#state.kind === 'interrupted') this.#askAgain(this.#state);
  }

  /** @internal The connection is lost. `isLeaving`: its gateway said that it goes, and then keeps all started runs. */
  disconnected(message: string, isLeaving: boolean): void {
    const state = this.#state;
    this.#stdin.close();
    if (state.kind === 'interrupted') this.#interrupt(state.untilMs);
    else if (state.kind === 'live' && (this.#isKept || isLeaving)) {
      const windowMs = this.#port.resumeWindowMs();
      this.#interrupt(performance.now() + windowMs);
      this.#emit({ event: 'interrupted', data: { resume_ms: windowMs } });
    } else if (state.kind !== 'unsent') this.lose(message);
  }

  /** @internal It ends without an end from the server. */
  lose(message: string): void {
    this.#end({ event: 'lost', data: { message } });
  }

  /** @internal The gateway has taken the stdin that was sent before the ping. */
  confirmed(): void {
    this.#stdin.confirmed();
  }

  /** @internal A frame about this run. */
  receive(frame: RunFrame, atMs: number): void {
    if ('seq' in frame.data) this.#seq = frame.data.seq;
    switch (frame.event) {
      case 'exit':
        return this.#end(frame, atMs);
      case 'error':
        return this.#failed(frame, atMs);
      case 'queued':
        if (this.#state.kind === 'sent') this.#state.isAccepted = true;
        break;
      case 'started':
        this.#resumeKey = frame.data.resume_key;
        this.#setState({ kind: 'live' });
        break;
      case 'resumed':
        this.#setState({ kind: 'live' });
        this.#stdin.open(frame.data.stdin_bytes);
        if (this.#isStopped) this.send('stop', {});
        break;
      case 'compile':
      case 'stdout':
      case 'stderr':
        break;
    }
    this.#emit(frame, atMs);
  }

  #submit(state: Unsent): void {
    const { request } = state;
    if ('key' in request) {
      this.#sentMs = performance.now();
      return this.#askAgain(this.#interrupt(this.#sentMs + this.#port.resumeWindowMs()));
    }
    if (request.token !== undefined) this.#sendRequest(request, request.token);
    else if (!state.isFetching) void this.#sendWithToken(state, request);
  }

  async #sendWithToken(state: Unsent, request: RunRequest): Promise<void> {
    state.isFetching = true;
    try {
      const token = await this.#port.takeToken();
      if (this.#state === state) this.#sendRequest(request, token);
    } catch (error) {
      this.lose(error instanceof Error ? error.message : String(error));
    }
    state.isFetching = false;
  }

  #sendRequest(request: RunRequest, token: string): void {
    this.#sentMs = performance.now();
    // Without a connection it stays as it is, and goes with the next one.
    if (!this.send('run_code', { ...request, token, run: undefined })) return;
    this.#setState({ kind: 'sent', isAccepted: false });
    this.#stdin.open();
  }

  #interrupt(untilMs: number): Interrupted {
    const state: Interrupted = { kind: 'interrupted', untilMs, isAsked: false };
    const timer = setTimeout(
      () => this.lose('the connection was lost for longer than the run is kept'),
      Math.max(0, untilMs - performance.now()),
    );
    this.#setState(state, () => clearTimeout(timer));
    return state;
  }

  #askAgain(state: Interrupted): void {
    if (this.#state === state && !state.isAsked)
      state.isAsked = this.send('resume', { key: this.#resumeKey, after: this.#seq });
  }

  #failed(frame: Extract<RunFrame, { event: 'error' }>, atMs: number): void {
    const state = this.#state;
    const { code, replay_from: from, retry_after_ms: retryMs = RESUME_RETRY_MS } = frame.data;
    if (code === 'stdin_full' && this.#stdin.refuse()) return;
    if (state.kind === 'interrupted' && state.isAsked) {
      if (code === 'resume_gap' && from !== undefined) {
        this.#emit({ event: 'gap', data: { after: this.#seq, replay_from: from } }, atMs);
        this.#seq = from - 1;
        return this.#askAgain(this.#interrupt(state.untilMs));
      }
      if (isResumeRetryable(frame.data)) {
        const next = this.#interrupt(state.untilMs);
        setTimeout(() => this.#askAgain(next), retryMs);
        return;
      }
    }
    if (isPassing(frame.data, state.kind !== 'sent' || state.isAccepted)) this.#emit(frame, atMs);
    else this.#end(frame, atMs);
  }

  #end(end: RunEnd, atMs?: number): void {
    if (this.#state.kind === 'ended') return;
    this.#setState({ kind: 'ended' });
    this.#stdin.close(true);
    this.#port.release(this);
    this.#emit(end, atMs);
    this.#queue.end();
    this.#resolve(end);
  }

  #emit(event: RunEvent, atMs = performance.now()): void {
    if (this.#onEvent === undefined) this.#queue.push(event);
    else this.#onEvent(event, atMs);
  }

  #setState(state: RunState, leave: () => void = () => undefined): void {
    this.#leave();
    this.#leave = leave;
    this.#state = state;
  }
}
