// A gRPC server of one method over node:http2: who may call is asked first, and whatever a peer does costs its own connection only.
import {
  constants,
  createSecureServer,
  createServer,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import type { Method } from '@rungrid/proto/method';
import { KEEPALIVE, keepAlive, type KeepAliveTiming } from './keepalive.js';
import { authorizationCheck, type GrpcSecurity } from './security.js';
import { FAREWELL_MS, RESPONSE_HEADERS, ServerCall, type ServerHandlers } from './server-call.js';
import { STATUS, type Status, statusHeaders } from './status.js';

export interface GrpcServerOptions<Request, Response> {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly security: GrpcSecurity;
  readonly method: Method<Request, Response>;
  /** Longest message that is taken from a caller. */
  readonly maxMessageBytes: number;
  /** Streams at most on one connection; a caller that opens more has them refused. */
  readonly maxStreams: number;
  /** A call has come. Its handlers hear of it from then on. */
  readonly onCall: (call: ServerCall<Request, Response>) => ServerHandlers<Request>;
  readonly keepAlive?: KeepAliveTiming;
}

export interface GrpcServer {
  readonly port: number;
  /** Takes no more calls, lets those that are left end within GRACE_MS, and stops. */
  close(): Promise<void>;
}

/** Connections at most; a further one is closed. A gateway has one. */
const MAX_CONNECTIONS = 1024;
/** Calls refused on one connection, after which it is ended: whoever is behind it does not learn. */
const MAX_REFUSED = 100;
const HANDSHAKE_MS = 5000;
/** How long calls may go on after close(), ms. */
const GRACE_MS = 500;

const HTTP2_OPTIONS = {
  noDelay: true,
  // What a caller sends is a path and a handful of short fields.
  maxHeaderListPairs: 32,
  // Floods of these end the connection.
  maxSettings: 32,
  maxOutstandingPings: 4,
  maxSessionInvalidFrames: 10,
  maxSessionRejectedStreams: 100,
  maxReservedRemoteStreams: 0,
  // Megabytes on one connection, for all its streams together; past it new streams are refused.
  maxSessionMemory: 64,
  unknownProtocolTimeout: HANDSHAKE_MS,
};
const CONNECTION_WINDOW = 1_048_576;

interface Open {
  readonly sessions: Set<ServerHttp2Session>;
  readonly sockets: Set<Socket>;
}

/** Starts it. Rejects when the address can't be bound. */
export async function startServer<Request, Response>(
  options: GrpcServerOptions<Request, Response>,
): Promise<GrpcServer> {
  const server = makeServer(options);
  const open: Open = { sessions: new Set(), sockets: new Set() };
  server.maxConnections = MAX_CONNECTIONS;
  server.on('connection', (socket: Socket) => {
    open.sockets.add(socket);
    socket.once('close', () => open.sockets.delete(socket));
  });
  server.on('session', (session) => {
    open.sessions.add(session);
    session.once('close', () => open.sessions.delete(session));
    session.on('error', () => undefined);
    session.setLocalWindowSize(CONNECTION_WINDOW);
    keepAlive(session, options.keepAlive ?? KEEPALIVE);
  });
  server.on('sessionError', () => undefined);
  server.on('stream', accept(options));
  const port = await listen(server, options);
  return { port, close: () => close(server, open) };
}

function makeServer({ security, maxStreams }: { security: GrpcSecurity; maxStreams: number }): Http2Server {
  const settings = { maxConcurrentStreams: maxStreams, maxHeaderListSize: 8192, enablePush: false };
  if (security.tls === undefined) return createServer({ ...HTTP2_OPTIONS, settings });
  return createSecureServer({
    ...HTTP2_OPTIONS,
    ...security.tls,
    settings,
    allowHTTP1: false,
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: HANDSHAKE_MS,
  });
}

function listen(server: Http2Server, { host, port }: { host: string; port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => {
      server.off('error', reject);
      // Such as no descriptors left for one more connection.
      server.on('error', () => undefined);
      resolve((server.address() as AddressInfo).port);
    });
  });
}

/** Lets a stream in, or refuses it. */
function accept<Request, Response>(options: GrpcServerOptions<Request, Response>) {
  const authorized = authorizationCheck(options.security);
  const refused = new WeakMap<object, number>();
  return (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    // A reset comes as an error, too; the close follows.
    stream.on('error', () => undefined);
    const { session } = stream;
    if (stream.destroyed || session === undefined) return;
    const refusal = check(headers, { path: options.method.path, authorized });
    if (refusal === undefined) {
      const call = new ServerCall(stream, options);
      call.serve(options.onCall(call));
      return;
    }
    stream.respond(refusal, { endStream: true });
    stream.resume();
    const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), FAREWELL_MS);
    stream.once('close', () => clearTimeout(timer));
    const count = (refused.get(session) ?? 0) + 1;
    refused.set(session, count);
    if (count > MAX_REFUSED) session.destroy(undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM);
  };
}

/** The whole answer to a call that is not let in; undefined: it is. */
function check(
  headers: IncomingHttpHeaders,
  rules: { path: string; authorized: (given: string | undefined) => boolean },
): Record<string, string | number> | undefined {
  if (headers[':method'] !== 'POST') return { ':status': 405 };
  if (!/^application\/grpc(\+proto)?($|;)/.test(headers['content-type'] ?? '')) return { ':status': 415 };
  if (!rules.authorized(headers.authorization))
    return trailersOnly({ code: STATUS.UNAUTHENTICATED, details: 'authorization is missing, or not one of ours' });
  if (headers[':path'] !== rules.path) return trailersOnly({ code: STATUS.UNIMPLEMENTED, details: 'no such method' });
  if (headers.te !== 'trailers') return trailersOnly({ code: STATUS.INTERNAL, details: 'te: trailers is missing' });
  const encoding = headers['grpc-encoding'] ?? 'identity';
  if (encoding === 'identity') return undefined;
  return {
    ...trailersOnly({ code: STATUS.UNIMPLEMENTED, details: 'compression is not taken' }),
    'grpc-accept-encoding': 'identity',
  };
}

function trailersOnly(status: Status): Record<string, string | number> {
  return { ...RESPONSE_HEADERS, ...statusHeaders(status) };
}

function close(server: Http2Server, { sessions, sockets }: Open): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      for (const session of sessions) session.destroy();
      // Also those that are in a handshake, or linger behind their session.
      for (const socket of sockets) socket.destroy();
    }, GRACE_MS);
    server.close(() => {
      clearTimeout(timer);
      resolve();
    });
    // Says that no more calls are taken; a session ends by itself with its last stream.
    for (const session of sessions) session.close();
  });
}
