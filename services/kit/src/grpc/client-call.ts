// One call of a client: messages to and from one HTTP/2 stream, and the status at its end. Nothing lies between stream and handlers.
import type { Buffer } from 'node:buffer';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2';
import type { Method } from '@rungrid/proto/method';
import { frame, FrameReader } from './framing.js';
import { readStatus, STATUS, type Status, statusOfHttp, statusOfReset } from './status.js';

export interface CallHandlers<Response> {
  message(message: Response): void;
  /** Once, last: also after cancel(). Never within the call of a method. */
  end(status: Status): void;
  /** write() has said false, and takes more now. */
  drain?(): void;
}

/** What the caller has of a bidirectional call. Every method may be called at any time; after the end they do nothing. */
export interface Call<Request, Response> {
  /** Who hears of it from now on. Without one, messages are dropped. */
  listen(handlers: CallHandlers<Response>): void;
  /** Before there is a connection it is kept. false: as much waits as should. */
  write(message: Request): boolean;
  /** No more messages from this side. */
  end(): void;
  /** Ends it as CANCELLED. */
  cancel(): void;
  /** Stops reading: the peer may send one window more. Messages that came in one piece with the last one are still delivered. */
  pause(): void;
  resume(): void;
}

/** The session that a call runs on. */
export interface CallSession {
  readonly session: ClientHttp2Session;
  /** Whether its connection has ended. */
  readonly lost: boolean;
}

export interface ClientCallOptions<Request, Response> {
  readonly method: Method<Request, Response>;
  readonly maxMessageBytes: number;
  readonly headers: OutgoingHttpHeaders;
  /** The call is over. */
  readonly onOver: (call: ClientCall<Request, Response>) => void;
}

/** Bytes kept before there is a connection, after which write() says false. As much as an HTTP/2 stream keeps. */
const EARLY_BYTES = 16_384;

export class ClientCall<Request, Response> implements Call<Request, Response> {
  readonly #options: ClientCallOptions<Request, Response>;
  readonly #reader: FrameReader;
  #handlers: CallHandlers<Response> | undefined;
  #on: CallSession | undefined;
  #stream: ClientHttp2Stream | undefined;
  /** Resets the stream with CANCEL. Its own close() would end this side in order first, and look like a caller that is content. */
  readonly #abort = new AbortController();
  /** What was written before there was a stream. */
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #earlyEnd = false;
  #paused = false;
  /** What the peer has said of the end; it counts once all messages before it are delivered. */
  #status: Status | undefined;
  /** The stream has closed while this side did not read. */
  #closed = false;
  #over = false;

  constructor(options: ClientCallOptions<Request, Response>) {
    this.#options = options;
    this.#reader = new FrameReader({
      maxBytes: options.maxMessageBytes,
      onMessage: (bytes) => this.#onMessage(bytes),
    });
  }

  listen(handlers: CallHandlers<Response>): void {
    this.#handlers = handlers;
  }

  write(message: Request): boolean {
    if (this.#over) return false;
    const framed = frame(this.#options.method.request.encode(message));
    if (this.#stream !== undefined) return this.#stream.writable && this.#stream.write(framed);
    this.#early.push(framed);
    this.#earlyBytes += framed.length;
    return this.#earlyBytes < EARLY_BYTES;
  }

  end(): void {
    if (this.#over) return;
    if (this.#stream === undefined) this.#earlyEnd = true;
    else this.#stream.end();
  }

  cancel(): void {
    this.fail({ code: STATUS.CANCELLED, details: 'cancelled by this side' });
  }

  pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#paused = false;
    // A stream that has closed does not tell of what it still holds: that is read below.
    if (this.#closed) process.nextTick(() => this.#onClose());
    else this.#stream?.resume();
  }

  /** Puts it on a session. Once. */
  start(on: CallSession): void {
    if (this.#over) return;
    let stream: ClientHttp2Stream;
    try {
      stream = on.session.request(this.#options.headers, { endStream: false, signal: this.#abort.signal });
    } catch (error) {
      return this.fail({ code: STATUS.UNAVAILABLE, details: String(error) });
    }
    this.#on = on;
    this.#stream = stream;
    stream.on('response', (headers, flags) => this.#onResponse(headers, flags));
    stream.on('trailers', (headers) => {
      this.#status ??= readStatus(headers);
    });
    stream.on('data', (chunk: Buffer) => this.#onData(chunk));
    stream.on('drain', () => this.#handlers?.drain?.());
    stream.on('end', () => this.#onEnd());
    // Its close follows, and says all that is needed.
    stream.on('error', () => undefined);
    stream.on('close', () => this.#onClose());
    if (this.#paused) stream.pause();
    const refused = this.#early.map((framed) => stream.write(framed)).includes(false);
    if (this.#earlyBytes >= EARLY_BYTES && !refused) process.nextTick(() => this.#handlers?.drain?.());
    this.#early = [];
    if (this.#earlyEnd) stream.end();
  }

  /** Ends it for a reason that is not the peer's. */
  fail(status: Status): void {
    if (this.#over || this.#abort.signal.aborted) return;
    this.#reader.stop();
    // Whichever of the two is first: the turn's end, or the stream's own.
    this.#status = status;
    this.#abort.abort();
    process.nextTick(() => this.#finish(status));
  }

  #onResponse(headers: IncomingHttpHeaders, flags: number): void {
    const http = Number(headers[':status']);
    const status = readStatus(headers);
    // An answer of headers alone carries the status in them.
    if (status !== undefined && (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0) this.#status ??= status;
    else if (http !== 200) this.fail(statusOfHttp(http));
    else if (!/^application\/grpc(\+proto)?($|;)/.test(headers['content-type'] ?? ''))
      this.fail({ code: STATUS.UNKNOWN, details: 'the answer is not gRPC' });
    else if ((headers['grpc-encoding'] ?? 'identity') !== 'identity')
      this.fail({ code: STATUS.UNIMPLEMENTED, details: 'the answer is compressed' });
  }

  #onData(chunk: Buffer): void {
    const fault = this.#reader.push(chunk);
    if (fault !== undefined) this.fail(fault);
  }

  #onMessage(bytes: Buffer): void {
    let message: Response;
    try {
      message = this.#options.method.response.decode(bytes);
    } catch (error) {
      return this.fail({ code: STATUS.INTERNAL, details: `a message cannot be read: ${String(error)}` });
    }
    this.#handlers?.message(message);
  }

  #onEnd(): void {
    if (this.#status === undefined) return;
    if (this.#reader.midMessage) this.fail({ code: STATUS.INTERNAL, details: 'the answer ends within a message' });
    else this.#finish(this.#status);
  }

  #onClose(): void {
    const stream = this.#stream;
    if (this.#over || stream === undefined) return;
    // What came before the loss is delivered before it is told.
    if (this.#paused && stream.readableLength > 0) {
      this.#closed = true;
      return;
    }
    for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null)
      this.#onData(chunk);
    this.#finish(this.#status ?? this.#lossStatus(stream));
  }

  #lossStatus(stream: ClientHttp2Stream): Status {
    const { session, lost } = this.#on as CallSession;
    if (lost || session.destroyed) return { code: STATUS.UNAVAILABLE, details: 'the connection was lost' };
    if (stream.rstCode === constants.NGHTTP2_NO_ERROR)
      return { code: STATUS.INTERNAL, details: 'the stream ended without a status' };
    return statusOfReset(stream.rstCode);
  }

  #finish(status: Status): void {
    if (this.#over) return;
    this.#over = true;
    this.#reader.stop();
    this.#early = [];
    const stream = this.#stream;
    if (stream !== undefined) {
      stream.end();
      // What is unread holds its end back.
      stream.resume();
    }
    this.#options.onOver(this);
    this.#handlers?.end(status);
  }
}
