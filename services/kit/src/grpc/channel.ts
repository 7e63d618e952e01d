// A client's channel to one address: connects ahead, connects again after a loss, and lets calls wait for the attempt under way.
import type { OutgoingHttpHeaders } from 'node:http2';
import type { Method } from '@rungrid/proto/method';
import { type Call, ClientCall } from './client-call.js';
import { Connection } from './connection.js';
import { KEEPALIVE, type KeepAliveTiming } from './keepalive.js';
import { authorizationOf, type GrpcSecurity } from './security.js';
import { STATUS } from './status.js';

export interface ChannelTiming {
  readonly keepAlive: KeepAliveTiming;
  /** How long an attempt may take, handshakes included, ms. */
  readonly connectMs: number;
  /** Wait after the first failure, and at most, ms; doubled in between, and spread over its upper half. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
}

const TIMING: ChannelTiming = { keepAlive: KEEPALIVE, connectMs: 5000, backoffMs: 100, maxBackoffMs: 2000 };
/** Calls that wait for a connection at most; past it a further one ends with UNAVAILABLE. */
const MAX_WAITING = 1024;

export interface ChannelOptions {
  /** host:port, a v6 address in brackets. */
  readonly address: string;
  readonly security: GrpcSecurity;
  /** Name that the peer's certificate must have. Default: the host of the address. */
  readonly serverName?: string | undefined;
  /** Longest message that is taken from the peer. */
  readonly maxMessageBytes: number;
  /** An attempt to connect has failed; there will be another one. */
  readonly onFailure?: (reason: string) => void;
  readonly timing?: Partial<ChannelTiming>;
}

type AnyCall = ClientCall<never, never>;

type State =
  | { readonly kind: 'idle' }
  | { readonly kind: 'connecting' }
  | { readonly kind: 'ready'; readonly connection: Connection }
  | { readonly kind: 'backing_off'; readonly timer: NodeJS.Timeout }
  | { readonly kind: 'closed' };

export class Channel {
  readonly #options: ChannelOptions;
  readonly #timing: ChannelTiming;
  readonly #headers = new Map<string, OutgoingHttpHeaders>();
  /** All that have not ended: the one in use, and those whose last streams go on. */
  readonly #connections = new Set<Connection>();
  /** Calls that have not begun. Each is decided by the attempt under way or the next one, so none waits for ever. */
  readonly #waiting = new Set<AnyCall>();
  #state: State = { kind: 'idle' };
  /** Whether the connection is kept up without a call. */
  #kept = false;
  #failures = 0;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
  }

  get ready(): boolean {
    return this.#state.kind === 'ready';
  }

  /** Connects, and again after each loss, until close(). */
  connect(): void {
    this.#kept = true;
    if (this.#state.kind === 'idle') this.#dial();
  }

  /** Starts a call. Never throws: a fault is its status. It is sent once, whatever comes of it. */
  call<Request, Response>(method: Method<Request, Response>): Call<Request, Response> {
    const call = new ClientCall({
      method,
      maxMessageBytes: this.#options.maxMessageBytes,
      headers: this.#headersOf(method.path),
      onOver: (over) => void this.#waiting.delete(over as unknown as AnyCall),
    });
    if (this.#state.kind === 'ready') {
      call.start(this.#state.connection);
    } else if (this.#state.kind === 'closed' || this.#waiting.size >= MAX_WAITING) {
      call.fail({ code: STATUS.UNAVAILABLE, details: 'the channel is closed, or too many calls wait for it' });
    } else {
      this.#waiting.add(call as unknown as AnyCall);
      if (this.#state.kind === 'idle') this.#dial();
    }
    return call;
  }

  /** Ends all calls and connections. */
  close(): void {
    if (this.#state.kind === 'backing_off') clearTimeout(this.#state.timer);
    this.#state = { kind: 'closed' };
    this.#failWaiting('the channel is closed');
    for (const connection of this.#connections) connection.destroy();
  }

  #dial(): void {
    this.#state = { kind: 'connecting' };
    const connection = new Connection({
      address: this.#options.address,
      security: this.#options.security,
      serverName: this.#options.serverName,
      connectMs: this.#timing.connectMs,
      keepAlive: this.#timing.keepAlive,
      onReady: () => this.#onReady(connection),
      onGone: (reason) => this.#onGone(reason),
      onClosed: () => void this.#connections.delete(connection),
    });
    this.#connections.add(connection);
  }

  #onReady(connection: Connection): void {
    if (this.#state.kind !== 'connecting') return connection.destroy();
    this.#state = { kind: 'ready', connection };
    this.#failures = 0;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const call of waiting) call.start(connection);
  }

  #onGone(reason: string): void {
    if (this.#state.kind === 'closed') return;
    const failed = this.#state.kind === 'connecting';
    this.#failWaiting(reason);
    if (this.#kept) this.#backOff();
    else this.#state = { kind: 'idle' };
    if (failed) this.#options.onFailure?.(reason);
  }

  #backOff(): void {
    const { backoffMs, maxBackoffMs } = this.#timing;
    const longestMs = Math.min(maxBackoffMs, backoffMs * 2 ** Math.min(this.#failures, 16));
    this.#failures += 1;
    // Spread: gateways that lost the same worker do not come back in one moment.
    const delayMs = longestMs * (0.5 + Math.random() / 2);
    this.#state = { kind: 'backing_off', timer: setTimeout(() => this.#dial(), delayMs) };
  }

  #failWaiting(reason: string): void {
    for (const call of this.#waiting) call.fail({ code: STATUS.UNAVAILABLE, details: reason });
    this.#waiting.clear();
  }

  #headersOf(path: string): OutgoingHttpHeaders {
    const known = this.#headers.get(path);
    if (known !== undefined) return known;
    const { address, security } = this.#options;
    const authorization = authorizationOf(security);
    const headers: OutgoingHttpHeaders = {
      ':method': 'POST',
      ':scheme': security.tls === undefined ? 'http' : 'https',
      ':authority': address,
      ':path': path,
      'content-type': 'application/grpc+proto',
      te: 'trailers',
      'user-agent': 'rungrid',
      ...(authorization === undefined ? {} : { authorization }),
    };
    this.#headers.set(path, headers);
    return headers;
  }
}
