// One connection to a gateway, kept: a state machine over one socket after another. It knows frames, and nothing of runs.
import type { ClientEvent, ServerFrame } from '@rungrid/proto/frames';
import { parseFrame } from './frames.js';
import { afterClose, type CloseDetails } from './reconnect.js';

/** Accepted by the gateway, and optional (`SUBPROTOCOL` of the protocol). */
const SUBPROTOCOL = 'rungrid.v1';
/** How long a gateway may take from the connect to its `hello`, ms. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that held this long was a good one: the next pause is short again, ms. */
const STABLE_MS = 5_000;
/** Default of `heartbeatMs`. */
const HEARTBEAT_MS = 10_000;
/** Close code of a client that ends its connection, and of a socket that ended without a code (RFC 6455 section 7.4). */
const NORMAL: CloseDetails = { code: 1000, reason: '' };
const ABNORMAL = 1006;

/** What the client needs of a WebSocket: the browser's own, or that of the package `ws`. */
export interface SocketLike {
  send(text: string): void;
  close(code?: number): void;
  /** Stop and go on reading. Where they are missing (browsers), a slow reader's events wait in memory. */
  pause?(): void;
  resume?(): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(type: 'close', listener: (event: CloseDetails) => void): void;
  addEventListener(type: 'error', listener: (event: { readonly message?: string }) => void): void;
}

/** What a connection is doing. */
export type ConnectionState =
  /** A socket is being opened, and `hello` is awaited. `attempt` counts from 0 since the last stable connection. */
  | { readonly kind: 'connecting'; readonly attempt: number }
  /** `hello` has come: frames can be sent. */
  | { readonly kind: 'open' }
  /** `delayMs`: when the next attempt begins; undefined: with the next `connect`. `close`: why; undefined: it was never connected. */
  | { readonly kind: 'waiting'; readonly delayMs: number | undefined; readonly close: CloseDetails | undefined }
  /** For good: the client closed it, or connecting again would end the same way. */
  | { readonly kind: 'closed'; readonly close: CloseDetails };

export interface ConnectionOptions {
  /** Of a gateway's socket, `wss://host/ws`. A function is asked at each attempt, so that attempts can go to several gateways. */
  readonly url: string | (() => string);
  /** Opens a socket. Default: the global `WebSocket`. Node 20 has none: `(url) => new WebSocket(url, 'rungrid.v1')` of the package `ws`. */
  readonly socket?: (url: string) => SocketLike;
  /** Whether a lost connection is replaced. Default true. */
  readonly reconnect?: boolean;
  /** How often a `ping` asks whether a silent gateway is still there while runs are live, ms; two without an answer end the connection. Default 10000; 0: never, and none follows `hello`. */
  readonly heartbeatMs?: number;
  /** Called with each new state. */
  readonly onState?: (state: ConnectionState) => void;
  /** Called with every frame, `hello` first. `atMs`: `performance.now()` when its message came. */
  readonly onFrame?: (frame: ServerFrame, atMs: number) => void;
}

interface ConnectionHooks extends ConnectionOptions {
  /** Whether the gateway is expected to answer: then heartbeats are sent. */
  readonly isBusy: () => boolean;
}

export class Connection {
  readonly #options: ConnectionHooks;
  readonly #heartbeatMs: number;
  #state: ConnectionState = { kind: 'waiting', delayMs: undefined, close: undefined };
  /** Ends the timers of the state. */
  #leave: () => void = () => undefined;
  #socket: SocketLike | undefined;
  /** Attempts since the last stable connection. */
  #attempts = 0;
  #openedMs: number | undefined;
  /** When a draining gateway wants its clients back, ms of performance.now(). */
  #askedAtMs = 0;
  #lastError = '';
  #silentBeats = 0;
  #isPaused = false;

  constructor(options: ConnectionHooks) {
    this.#options = options;
    this.#heartbeatMs = options.heartbeatMs ?? HEARTBEAT_MS;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Connects now, if the connection waits. Throws what the socket's constructor throws for a bad URL. */
  connect(): void {
    if (this.#state.kind === 'waiting') this.#connect();
  }

  /** false: the connection is not open, and the frame was dropped. */
  send(event: ClientEvent, data: unknown): boolean {
    if (this.#state.kind !== 'open') return false;
    this.#socket?.send(JSON.stringify({ event, data }));
    return true;
  }

  /** Ends the connection for good. */
  close(): void {
    if (this.#state.kind === 'closed') return;
    const socket = this.#socket;
    this.#socket = undefined;
    this.#setState({ kind: 'closed', close: NORMAL });
    socket?.close(NORMAL.code);
  }

  /** Leaves an open connection for another one, after the pause that its gateway asked for. */
  leave(): void {
    if (this.#state.kind === 'open') this.#abandon('left for another gateway');
  }

  /** Stops and goes on reading, where the socket can. */
  setPaused(isPaused: boolean): void {
    this.#isPaused = isPaused;
    if (isPaused) this.#socket?.pause?.();
    else this.#socket?.resume?.();
  }

  #connect(): void {
    const { url, socket: open = openGlobal } = this.#options;
    const socket = open(typeof url === 'string' ? url : url());
    this.#socket = socket;
    this.#isPaused = false;
    this.#lastError = '';
    const timer = setTimeout(() => this.#abandon(`no hello in ${CONNECT_TIMEOUT_MS} ms`), CONNECT_TIMEOUT_MS);
    socket.addEventListener('message', ({ data }) => {
      const atMs = performance.now();
      if (socket === this.#socket) this.#receive(data, atMs);
    });
    socket.addEventListener('error', ({ message }) => (this.#lastError = message ?? ''));
    socket.addEventListener('close', ({ code, reason }) => {
      if (socket === this.#socket) this.#lost({ code, reason: reason === '' ? this.#lastError : reason });
    });
    this.#setState({ kind: 'connecting', attempt: this.#attempts }, () => clearTimeout(timer));
  }

  #receive(message: unknown, atMs: number): void {
    const frame = parseFrame(message);
    if (frame === undefined) return;
    this.#silentBeats = 0;
    if (frame.event === 'draining') this.#askedAtMs = atMs + frame.data.reconnect_after_ms;
    // The frame first: who learns that the connection is open knows the server's limits.
    this.#options.onFrame?.(frame, atMs);
    if (frame.event === 'hello' && this.#state.kind === 'connecting') this.#opened();
  }

  #opened(): void {
    this.#openedMs = performance.now();
    const beat = this.#heartbeatMs === 0 ? undefined : setInterval(() => this.#beat(), this.#heartbeatMs);
    this.#setState({ kind: 'open' }, () => clearInterval(beat));
    // Gateways close a socket that never says anything.
    if (beat !== undefined) this.send('ping', {});
  }

  #beat(): void {
    if (this.#isPaused || !this.#options.isBusy()) return;
    if (this.#silentBeats > 2) return this.#abandon('the gateway does not answer');
    if (this.#silentBeats++ > 0) this.send('ping', {});
  }

  /** Ends a socket that does not end by itself. */
  #abandon(reason: string): void {
    const socket = this.#socket;
    this.#lost({ code: ABNORMAL, reason });
    socket?.close();
  }

  #lost(close: CloseDetails): void {
    this.#socket = undefined;
    const nowMs = performance.now();
    const askedMs = Math.max(0, this.#askedAtMs - nowMs);
    if (nowMs - (this.#openedMs ?? nowMs) > STABLE_MS) this.#attempts = 0;
    this.#askedAtMs = 0;
    this.#openedMs = undefined;
    const next = afterClose(close.code, { attempt: this.#attempts++, askedMs, random: Math.random() });
    if (next.kind === 'closed' || this.#options.reconnect === false) return this.#setState({ kind: 'closed', close });
    if (next.kind === 'asleep') return this.#setState({ kind: 'waiting', delayMs: undefined, close });
    const timer = setTimeout(() => this.#connect(), next.delayMs);
    this.#setState({ kind: 'waiting', delayMs: next.delayMs, close }, () => clearTimeout(timer));
  }

  #setState(state: ConnectionState, leave: () => void = () => undefined): void {
    this.#leave();
    this.#leave = leave;
    this.#state = state;
    this.#options.onState?.(state);
  }
}

function openGlobal(url: string): SocketLike {
  return new WebSocket(url, SUBPROTOCOL);
}
