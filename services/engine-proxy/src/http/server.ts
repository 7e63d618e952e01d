// The server for workers: HTTP on a unix socket; the gate decides on every request, the engine's answer goes back.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Call, parseCall, type Verb } from '../policy/calls.js';
import type { EngineAnswer, EnginePort, EngineRequest } from '../policy/ports.js';
import { Refusal, type RefusalReason } from '../policy/refusal.js';
import { EventFilter } from './event-filter.js';
import { checkFraming, readBody } from './framing.js';
import { endWithAnswer, endWithRefusal, sendAnswer, sendRefusal } from './reply.js';
import { splice } from './splice.js';

/** The head of a worker's request has 300 bytes. */
const HEAD_BYTES = 4096;

export interface Outcome {
  /** Undefined when the request was no call. */
  readonly verb: Verb | undefined;
  /** `forwarded`: it reached the engine, with any answer. */
  readonly result: 'forwarded' | RefusalReason;
  readonly message: string;
  /** The error behind it, for the log. */
  readonly error?: unknown;
}

/** The gate's decisions, as the server needs them. */
interface Decisions {
  permit(call: Call, body: Buffer, signal: AbortSignal): Promise<EngineRequest>;
  narrow(call: Call, answer: EngineAnswer): EngineAnswer;
  isOwnEvent(line: Buffer): boolean;
}

type Opened<T> = { readonly stream: T } | { readonly answer: EngineAnswer };

interface StreamingEngine extends EnginePort {
  openStream(request: EngineRequest, signal: AbortSignal): Promise<Opened<Readable>>;
  hijack(request: EngineRequest, signal: AbortSignal): Promise<Opened<{ socket: Socket; head: Buffer }>>;
}

export interface ServerParts {
  readonly gate: Decisions;
  readonly engine: StreamingEngine;
  readonly limits: {
    /** Open connections, attached streams included. Past it a new one is closed at once. */
    readonly connections: number;
    readonly bodyBytes: number;
    /** From a request's first byte to its last, ms. */
    readonly requestTimeoutMs: number;
  };
  readonly observer: {
    outcome(outcome: Outcome): void;
    /** A connection past the limit was closed. */
    dropped(): void;
    /** Attached streams that are open now. */
    attached(count: number): void;
  };
}

export class ProxyServer {
  readonly server: Server;
  readonly #parts: ServerParts;
  readonly #sockets = new Set<Duplex>();
  /** Sockets with an unanswered request. */
  readonly #busy = new WeakSet<Duplex>();
  #attached = 0;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    const { connections, requestTimeoutMs } = parts.limits;
    this.server = createServer(
      {
        maxHeaderSize: HEAD_BYTES,
        requestTimeout: requestTimeoutMs,
        headersTimeout: requestTimeoutMs,
        connectionsCheckingInterval: Math.min(requestTimeoutMs, 5000),
        // An idle connection stays open: closing it could race with the next request, which the engine itself never does.
        keepAliveTimeout: 0,
        noDelay: true,
        insecureHTTPParser: false,
        // The framing check answers in the engine's form, and counts.
        requireHostHeader: false,
      },
      (request, response) => void this.#answer(request, response),
    );
    this.server.maxConnections = connections;
    this.server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.server.on('drop', () => parts.observer.dropped());
    this.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      void this.#upgrade(request, socket as Socket, head);
    });
    // Node emits these apart from 'request'; here they end like any other.
    for (const event of ['checkContinue', 'checkExpectation'])
      this.server.on(
        event,
        (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response),
      );
    this.server.on('connect', (_request: IncomingMessage, socket: Duplex) =>
      this.#refuseSocket(socket, new Refusal('not_allowed', 'CONNECT is not a call that a worker makes')),
    );
    this.server.on('clientError', (error: Error, socket: Duplex) => this.#onClientError(error, socket));
  }

  /** Ends every connection, attached streams too. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    if (this.#busy.has(socket)) {
      this.#parts.observer.outcome({ verb: undefined, result: 'pipelined', message: 'a request before the answer' });
      socket.destroy();
      return;
    }
    this.#busy.add(socket);
    const disconnected = new AbortController();
    response.once('close', () => disconnected.abort());
    response.once('finish', () => this.#busy.delete(socket));
    let call: Call | undefined;
    try {
      checkFraming(request, { upgrade: false });
      const body = await readBody(request, this.#parts.limits.bodyBytes);
      call = parseCall(request.method ?? '', request.url ?? '');
      if (call.verb === 'attach') throw new Refusal('bad_framing', 'an attach asks for an upgrade');
      const permitted = await this.#parts.gate.permit(call, body, disconnected.signal);
      if (call.verb === 'events') await this.#stream(permitted, response, disconnected.signal);
      else
        sendAnswer(
          response,
          this.#parts.gate.narrow(call, await this.#parts.engine.call(permitted, disconnected.signal)),
        );
      this.#forwarded(call);
    } catch (error) {
      const refusal = this.#refused(error, call);
      // The unread rest of a request must not be parsed as the next one.
      if (!request.complete) response.shouldKeepAlive = false;
      sendRefusal(response, refusal);
    }
  }

  async #stream(permitted: EngineRequest, response: ServerResponse, signal: AbortSignal): Promise<void> {
    const opened = await this.#parts.engine.openStream(permitted, signal);
    if ('answer' in opened) return sendAnswer(response, opened.answer);
    response.writeHead(200, { 'content-type': 'application/json' });
    // The subscriber waits for the head, and the first event may take long.
    response.flushHeaders();
    const filter = new EventFilter((line) => this.#parts.gate.isOwnEvent(line));
    // Either side may disconnect at any time: that is how such a stream ends.
    await pipeline(opened.stream, filter, response).catch(() => response.destroy());
  }

  async #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const disconnected = new AbortController();
    // The HTTP server has detached it: an error without a listener would end the process.
    socket.on('error', () => socket.destroy());
    socket.once('close', () => disconnected.abort());
    let call: Call | undefined;
    try {
      if (this.#busy.has(socket)) throw new Refusal('pipelined', 'an upgrade before the answer');
      checkFraming(request, { upgrade: true });
      call = parseCall(request.method ?? '', request.url ?? '');
      if (call.verb !== 'attach') throw new Refusal('bad_framing', 'only an attach asks for an upgrade');
      if (request.headers.upgrade !== 'tcp') throw new Refusal('bad_framing', 'an attach asks for an upgrade to tcp');
      if (Number(request.headers['content-length'] ?? 0) > 0 || head.length > 0)
        throw new Refusal('bad_framing', 'nothing may come before the answer to an attach');
      const permitted = await this.#parts.gate.permit(call, Buffer.alloc(0), disconnected.signal);
      const opened = await this.#parts.engine.hijack(permitted, disconnected.signal);
      this.#forwarded(call);
      if ('answer' in opened) endWithAnswer(socket, opened.answer);
      else await this.#carry(socket, opened.stream);
    } catch (error) {
      const refusal = this.#refused(error, call);
      if (refusal.reason === 'pipelined') socket.destroy();
      else endWithRefusal(socket, refusal);
    }
  }

  async #carry(socket: Socket, engine: { socket: Socket; head: Buffer }): Promise<void> {
    if (socket.destroyed) {
      engine.socket.destroy();
      return;
    }
    const type = 'application/vnd.docker.raw-stream';
    socket.write(`HTTP/1.1 101 UPGRADED\r\nContent-Type: ${type}\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n`);
    if (engine.head.length > 0) socket.write(engine.head);
    this.#sockets.add(engine.socket);
    this.#parts.observer.attached((this.#attached += 1));
    await splice(socket, engine.socket);
    this.#sockets.delete(engine.socket);
    this.#parts.observer.attached((this.#attached -= 1));
  }

  #onClientError(error: Error, socket: Duplex): void {
    const code = 'code' in error ? String(error.code) : '';
    // The other end disconnected; there is no client to answer.
    if (code === 'ECONNRESET' || socket.destroyed) {
      socket.destroy();
      return;
    }
    const reason = code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 'request_timeout' : 'not_http';
    const refusal = new Refusal(reason, code || 'not a request');
    // During an answer, another one would be read as part of it.
    if (this.#busy.has(socket)) {
      this.#refused(refusal, undefined);
      socket.destroy();
    } else this.#refuseSocket(socket, refusal);
  }

  #refuseSocket(socket: Duplex, refusal: Refusal): void {
    socket.on('error', () => socket.destroy());
    endWithRefusal(socket, this.#refused(refusal, undefined));
  }

  #forwarded(call: Call): void {
    this.#parts.observer.outcome({ verb: call.verb, result: 'forwarded', message: '' });
  }

  #refused(error: unknown, call: Call | undefined): Refusal {
    const refusal = error instanceof Refusal ? error : unexpected(error);
    this.#parts.observer.outcome({
      verb: call?.verb,
      result: refusal.reason,
      message: refusal.message,
      error: refusal.cause,
    });
    return refusal;
  }
}

/** A request that ended within its body; everything else is an error of the proxy. */
function unexpected(error: unknown): Refusal {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return code === 'ECONNRESET' || code === 'ERR_STREAM_PREMATURE_CLOSE'
    ? new Refusal('not_http', 'the request broke off', { cause: error })
    : new Refusal('internal', 'the proxy failed', { cause: error });
}
