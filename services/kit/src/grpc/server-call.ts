// One call at a server: messages to and from one HTTP/2 stream; ends with a status, or finds the caller gone.
import type { Buffer } from 'node:buffer';
import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Method } from '@rungrid/proto/method';
import { frame, FrameReader } from './framing.js';
import { STATUS, type Status, statusHeaders } from './status.js';

/** What serves the call hears. */
export interface ServerHandlers<Request> {
  message(message: Request): void;
  /** write() has said false, and takes more now. */
  drain(): void;
  /** The caller will send nothing more. */
  halfClosed(): void;
  /** The caller has cancelled, its connection was lost, or it broke the protocol. Once, last; not after end(). */
  gone(): void;
}

export interface ServerCallOptions<Request, Response> {
  readonly method: Method<Request, Response>;
  readonly maxMessageBytes: number;
}

const OK: Status = { code: STATUS.OK, details: '' };
export const RESPONSE_HEADERS = { ':status': 200, 'content-type': 'application/grpc+proto' };
/** How long a caller may take to read what was sent before the end, ms: far above a gateway's patience with a slow client. */
const LINGER_MS = 300_000;
/** How long a caller that was told the status may leave its own side open, ms. A reset at once would overtake the status. */
export const FAREWELL_MS = 10_000;

export class ServerCall<Request, Response> {
  readonly #stream: ServerHttp2Stream;
  readonly #method: Method<Request, Response>;
  readonly #reader: FrameReader;
  #handlers: ServerHandlers<Request> | undefined;
  #trailers = statusHeaders(OK);
  #lastTimer: NodeJS.Timeout | undefined;
  #over = false;

  /** Answers with the headers at once: a caller may have opened the stream ahead. */
  constructor(stream: ServerHttp2Stream, options: ServerCallOptions<Request, Response>) {
    this.#stream = stream;
    this.#method = options.method;
    this.#reader = new FrameReader({
      maxBytes: options.maxMessageBytes,
      onMessage: (bytes) => this.#onMessage(bytes),
    });
    stream.respond(RESPONSE_HEADERS, { waitForTrailers: true });
    stream.on('wantTrailers', () => this.#sendTrailers());
    stream.on('drain', () => {
      if (!this.#over) this.#handlers?.drain();
    });
    stream.on('end', () => this.#onHalfClosed());
    stream.on('close', () => this.#onClose());
  }

  /** Who serves it. Messages are read from then on. */
  serve(handlers: ServerHandlers<Request>): void {
    this.#handlers = handlers;
    this.#stream.on('data', (chunk: Buffer) => this.#onData(chunk));
  }

  /** false: as much waits as should, or the call is over. */
  write(message: Response): boolean {
    const stream = this.#stream;
    return !this.#over && stream.writable && stream.write(frame(this.#method.response.encode(message)));
  }

  /** Ends the call, after what was written. Default OK. No handler is called afterwards. */
  end(status: Status = OK): void {
    if (this.#over) return;
    this.#over = true;
    this.#reader.stop();
    this.#trailers = statusHeaders(status);
    const stream = this.#stream;
    this.#lastTimer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), LINGER_MS);
    stream.end();
    stream.resume();
  }

  /** Stops and starts reading; the caller may send one window meanwhile. */
  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  #sendTrailers(): void {
    const stream = this.#stream;
    if (stream.destroyed) return;
    stream.sendTrailers(this.#trailers);
    clearTimeout(this.#lastTimer);
    this.#lastTimer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), FAREWELL_MS);
  }

  #onData(chunk: Buffer): void {
    const fault = this.#reader.push(chunk);
    if (fault !== undefined) this.#break(fault);
  }

  #onMessage(bytes: Buffer): void {
    let message: Request;
    try {
      message = this.#method.request.decode(bytes);
    } catch {
      return this.#break({ code: STATUS.INTERNAL, details: 'a message cannot be read' });
    }
    this.#handlers?.message(message);
  }

  #onHalfClosed(): void {
    // A reset ends what there is to read as well; its close follows.
    if (this.#over || this.#stream.closed) return;
    if (this.#reader.midMessage) this.#break({ code: STATUS.INTERNAL, details: 'the stream ends within a message' });
    else this.#handlers?.halfClosed();
  }

  /** The caller broke the protocol: it is told, and the one who serves it finds it gone. */
  #break(fault: Status): void {
    if (this.#over) return;
    this.end(fault);
    this.#handlers?.gone();
  }

  #onClose(): void {
    clearTimeout(this.#lastTimer);
    if (this.#over) return;
    this.#over = true;
    this.#reader.stop();
    this.#handlers?.gone();
  }
}
