// The gRPC port: TLS, the shared secret, and the bounds on connections that grpc-js does not have, in front of its server.
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import {
  logVerbosity,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  setLogVerbosity,
  status,
} from '@grpc/grpc-js';
import { authorizationCheck, type GrpcSecurity } from '@rungrid/kit/grpc-security';
import type { RunEvent, RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import { RUN_METHOD } from '@rungrid/proto/method';

export type Call = ServerDuplexStream<RunInput, RunEvent>;

export interface GrpcPortOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Who may call. */
  readonly security: GrpcSecurity;
  /** Streams at most on one connection, and so runs of one gateway here. A caller that opens more has them refused. */
  readonly maxStreams?: number;
  /** How long a TLS handshake may take, and then the first bytes of HTTP/2, ms. */
  readonly handshakeMs?: number;
  readonly keepAlive?: { readonly intervalMs: number; readonly timeoutMs: number };
  /** Takes a call that was let in. */
  readonly serve: (call: Call) => void;
}

export interface GrpcPort {
  readonly port: number;
  /** Takes no more calls, lets those that are left end within GRACE_MS, and stops. */
  close(): Promise<void>;
}

const MAX_STREAMS = 4096;
/** Longest message: 64 KiB of stdin and its frame. */
const MAX_MESSAGE_BYTES = 131_072;
/** Memory of one connection, for all its streams together, MB; past it new streams are refused. */
const MAX_SESSION_MB = 64;
/** Metadata of a call, with 32 bytes for each field as HTTP/2 counts them: a gateway sends two short ones. */
const MAX_METADATA_BYTES = 8192;
/** Connections at most, in all and of one address; a further one is closed. A gateway has one. */
const MAX_CONNECTIONS = 1024;
const MAX_PEER_CONNECTIONS = 256;
/** Calls refused on one connection, after which it is closed: its caller does not learn. */
const MAX_REFUSED = 100;
const HANDSHAKE_MS = 5000;
/** How long calls may go on after close(), ms. */
const GRACE_MS = 500;
/** A dead peer is known within 15 s, also while nothing is sent. */
const KEEP_ALIVE = { intervalMs: 10_000, timeoutMs: 5000 };
/** What every HTTP/2 client sends first. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Opens it. Rejects when the address cannot be bound. */
export async function openGrpcPort(options: GrpcPortOptions): Promise<GrpcPort> {
  // What a peer sends does not become log lines.
  setLogVerbosity(logVerbosity.NONE);
  const { security, maxStreams = MAX_STREAMS, handshakeMs = HANDSHAKE_MS, keepAlive = KEEP_ALIVE } = options;
  const server = new Server({
    'grpc.max_concurrent_streams': maxStreams,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': keepAlive.intervalMs,
    'grpc.keepalive_timeout_ms': keepAlive.timeoutMs,
    'grpc.enable_channelz': 0,
    'grpc-node.max_session_memory': MAX_SESSION_MB,
  });
  const connections = new Connections();
  const authorized = authorizationCheck(security);
  server.addService(
    { run: RUN_METHOD },
    {
      run: (call: Call) => {
        const refusal = refusalOf(call.metadata, authorized);
        if (refusal !== undefined) {
          call.emit('error', refusal);
          return connections.refused(call.getPeer());
        }
        // A gateway opens streams ahead of their runs: the response headers are sent early, too.
        call.sendMetadata(new Metadata());
        options.serve(call);
      },
    },
  );
  // TLS has ended before a socket comes here.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const listener = makeListener(security, {
    handshakeMs,
    onSocket: (socket) =>
      awaitPreface(socket, { timeoutMs: handshakeMs, onPreface: () => injector.injectConnection(socket) }),
  });
  listener.on('connection', (socket) => connections.add(socket));
  const port = await listen(listener, options);
  return { port, close: () => close({ listener, server, connections }) };
}

/** Why a call is not let in; undefined: it is. */
function refusalOf(metadata: Metadata, authorized: (given: string | undefined) => boolean) {
  if (!authorized(metadata.get('authorization')[0]?.toString()))
    return { code: status.UNAUTHENTICATED, details: 'authorization is missing, or not one of ours' };
  const fields = Object.entries(metadata.toHttp2Headers()).map(([name, values]) => name + String(values));
  const bytes = fields.reduce((sum, field) => sum + field.length + 32, 0);
  return bytes > MAX_METADATA_BYTES ? { code: status.RESOURCE_EXHAUSTED, details: 'too much metadata' } : undefined;
}

/** Every open TCP connection. */
class Connections {
  /** By address and port, with the calls refused on it. */
  readonly #open = new Map<string, { readonly socket: Socket; refused: number }>();
  readonly #byAddress = new Map<string, number>();

  add(socket: Socket): void {
    // The close follows.
    socket.on('error', () => undefined);
    const { remoteAddress: address = '', remotePort } = socket;
    const count = (this.#byAddress.get(address) ?? 0) + 1;
    if (count > MAX_PEER_CONNECTIONS) return void socket.destroy();
    const peer = `${address}:${remotePort}`;
    this.#byAddress.set(address, count);
    this.#open.set(peer, { socket, refused: 0 });
    socket.once('close', () => {
      this.#open.delete(peer);
      const left = (this.#byAddress.get(address) ?? 0) - 1;
      if (left > 0) this.#byAddress.set(address, left);
      else this.#byAddress.delete(address);
    });
  }

  /** A call of that peer was not let in. */
  refused(peer: string): void {
    const connection = this.#open.get(peer);
    if (connection === undefined) return;
    connection.refused += 1;
    if (connection.refused > MAX_REFUSED) connection.socket.destroy();
  }

  destroy(): void {
    for (const { socket } of this.#open.values()) socket.destroy();
  }
}

function makeListener(
  { tls }: GrpcSecurity,
  { handshakeMs, onSocket }: { handshakeMs: number; onSocket: (socket: Socket) => void },
): NetServer {
  const listener =
    tls === undefined
      ? createServer({ noDelay: true }, onSocket)
      : createTlsServer(
          {
            ...tls,
            noDelay: true,
            minVersion: 'TLSv1.3',
            ALPNProtocols: ['h2'],
            requestCert: true,
            rejectUnauthorized: true,
            handshakeTimeout: handshakeMs,
          },
          onSocket,
        );
  listener.maxConnections = MAX_CONNECTIONS;
  return listener;
}

/** Calls `onPreface` once the peer has begun to speak HTTP/2; closes the connection of one that does not in time. */
function awaitPreface(socket: Socket, { timeoutMs, onPreface }: { timeoutMs: number; onPreface: () => void }): void {
  socket.on('error', () => undefined);
  const timer = setTimeout(() => socket.destroy(), timeoutMs);
  socket.once('close', () => clearTimeout(timer));
  let received: Buffer = Buffer.alloc(0);
  const onReadable = () => {
    const chunk = socket.read() as Buffer | null;
    if (chunk === null) return;
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const length = Math.min(received.length, PREFACE.length);
    if (!received.subarray(0, length).equals(PREFACE.subarray(0, length))) return void socket.destroy();
    if (length < PREFACE.length) return;
    clearTimeout(timer);
    socket.off('readable', onReadable);
    socket.unshift(received);
    onPreface();
  };
  socket.on('readable', onReadable);
}

function listen(listener: NetServer, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(port, host, () => {
      listener.off('error', reject);
      // Such as no descriptors left for one more connection.
      listener.on('error', () => undefined);
      resolve((listener.address() as AddressInfo).port);
    });
  });
}

function close(given: { listener: NetServer; server: Server; connections: Connections }): Promise<void> {
  const { listener, server, connections } = given;
  return new Promise((resolve) => {
    // Also those that are in a handshake, or linger behind their last call.
    const timer = setTimeout(() => connections.destroy(), GRACE_MS);
    listener.close(() => {
      clearTimeout(timer);
      resolve();
    });
    server.tryShutdown(() => undefined);
  });
}
