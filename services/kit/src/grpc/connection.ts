// One HTTP/2 connection of a client: dialled, ready once the peer has spoken HTTP/2, and told of once when it takes no more calls.
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { CallSession } from './client-call.js';
import { keepAlive, type KeepAliveTiming } from './keepalive.js';
import type { GrpcSecurity } from './security.js';

export interface ConnectionOptions {
  /** host:port, a v6 address in brackets. */
  readonly address: string;
  readonly security: GrpcSecurity;
  /** Name that the peer's certificate must have; default: the host of the address. */
  readonly serverName: string | undefined;
  readonly connectMs: number;
  readonly keepAlive: KeepAliveTiming;
  /** The peer has sent its settings: it takes calls. */
  readonly onReady: () => void;
  /** It takes no calls (any more). Once; streams that run may go on when the peer said so in order. */
  readonly onGone: (reason: string) => void;
  /** All of it has ended. Once. */
  readonly onClosed: () => void;
}

const HTTP2_OPTIONS = {
  settings: { enablePush: false, maxHeaderListSize: 8192 },
  maxHeaderListPairs: 32,
  // Floods of these end the connection.
  maxSettings: 32,
  maxOutstandingPings: 4,
  maxSessionInvalidFrames: 10,
  maxReservedRemoteStreams: 0,
  // Megabytes, for all streams together.
  maxSessionMemory: 64,
  // Until its settings say otherwise.
  peerMaxConcurrentStreams: 100,
};
/** Window of the whole connection, bytes; each stream has its own beside it. */
const CONNECTION_WINDOW = 1_048_576;

export class Connection implements CallSession {
  readonly session: ClientHttp2Session;
  readonly #options: ConnectionOptions;
  #lost = false;
  #ready = false;
  #gone = false;
  #reason: string | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    const socket = dial(options);
    // Before HTTP/2 listens to it: streams are told of the loss by a code that means something else.
    socket.once('close', () => {
      this.#lost = true;
    });
    socket.once('error', (error) => {
      this.#reason ??= explain(error);
    });
    const scheme = options.security.tls === undefined ? 'http' : 'https';
    this.session = connectHttp2(`${scheme}://${options.address}`, { ...HTTP2_OPTIONS, createConnection: () => socket });
    this.#listen();
  }

  get lost(): boolean {
    return this.#lost;
  }

  /** Ends it and its streams at once. */
  destroy(): void {
    this.session.destroy();
  }

  #listen(): void {
    const { session } = this;
    const timer = setTimeout(() => {
      this.#reason ??= `no connection within ${this.#options.connectMs} ms`;
      session.destroy();
    }, this.#options.connectMs);
    session.once('connect', () => session.setLocalWindowSize(CONNECTION_WINDOW));
    session.once('remoteSettings', () => {
      clearTimeout(timer);
      if (session.destroyed || this.#gone) return;
      this.#ready = true;
      keepAlive(session, this.#options.keepAlive);
      this.#options.onReady();
    });
    session.once('goaway', () => this.#tellGone('the peer takes no more calls on this connection'));
    session.on('error', (error: Error) => {
      this.#reason ??= explain(error);
    });
    session.once('close', () => {
      clearTimeout(timer);
      this.#tellGone(this.#reason ?? (this.#ready ? 'the connection was lost' : 'closed before it spoke HTTP/2'));
      this.#options.onClosed();
    });
  }

  #tellGone(reason: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#options.onGone(reason);
  }
}

function dial({ address, security, serverName }: ConnectionOptions): Socket {
  // Parsed as an address and nothing else: no proxy, no path.
  const url = new URL(`http://${address}`);
  const host = url.hostname.replaceAll(/[[\]]/g, '');
  const port = Number(url.port || 80);
  if (security.tls === undefined) return connectTcp({ host, port, noDelay: true });
  const name = serverName ?? host;
  const socket = connectTls({
    host,
    port,
    ...security.tls,
    // The name is checked against the certificate; only a name, not an address, may be sent along.
    ...(isIP(name) === 0 ? { servername: name } : {}),
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
    rejectUnauthorized: true,
  });
  socket.setNoDelay(true);
  return socket;
}

function explain(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return code === '' || error.message.includes(code) ? error.message : `${code}: ${error.message}`;
}
