// Streams to a worker's gRPC port without a gRPC library: whatever bytes a test likes, and how the stream ended.
import { Buffer } from 'node:buffer';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import { until } from '@rungrid/testkit/until';

const PATH = '/rungrid.v1.Runner/Run';

/** A message behind its prefix (1 byte of flags, 4 of length), honest or not. */
export function grpcFrame(body: Uint8Array, options: { flags?: number; declare?: number } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix[0] = options.flags ?? 0;
  prefix.writeUInt32BE(options.declare ?? body.length, 1);
  return Buffer.concat([prefix, body]);
}

/** An input message, as a gateway would send it. */
export function inputFrame(input: RunInput['input']): Buffer {
  return grpcFrame(RunInput.encode({ input }).finish());
}

export class RawGrpc {
  readonly session: ClientHttp2Session;
  readonly streams: RawStream[] = [];
  ended = false;

  readonly #secret: string;

  /** `address` is host:port; `secret`: what a gateway of that worker shows. */
  constructor(address: string, secret: string) {
    this.#secret = secret;
    if (!/^(127\.\d+\.\d+\.\d+|localhost):\d+$/.test(address)) throw new Error('loopback only');
    this.session = connect(`http://${address}`);
    this.session.on('error', () => undefined);
    this.session.on('close', () => (this.ended = true));
  }

  /** Opens a stream; `headers` on top of what a gateway sends. */
  open(headers: Readonly<Record<string, string>> = {}): RawStream {
    const stream = new RawStream(
      this.session.request({
        ':method': 'POST',
        ':path': PATH,
        'content-type': 'application/grpc',
        te: 'trailers',
        authorization: `Bearer ${this.#secret}`,
        ...headers,
      }),
    );
    this.streams.push(stream);
    return stream;
  }

  close(): void {
    this.session.destroy();
  }
}

export class RawStream {
  readonly stream: ClientHttp2Stream;
  bytes = 0;
  over = false;
  /** `grpc-status` of the trailers, or of headers that are all there is. */
  grpcStatus: string | undefined;

  constructor(stream: ClientHttp2Stream) {
    this.stream = stream;
    const note = (headers: Record<string, unknown>) => {
      const status = headers['grpc-status'];
      if (typeof status === 'string') this.grpcStatus = status;
    };
    stream.on('response', note);
    stream.on('trailers', note);
    stream.on('data', (chunk: Buffer) => (this.bytes += chunk.length));
    stream.on('error', () => undefined);
    stream.on('close', () => (this.over = true));
  }

  send(bytes: Buffer): void {
    if (!this.stream.destroyed && !this.stream.writableEnded) this.stream.write(bytes);
  }

  /** RST_STREAM. */
  reset(): void {
    this.stream.close(constants.NGHTTP2_CANCEL);
  }

  /** How the server ended it: a gRPC status, or `reset`. */
  async end(timeoutMs = 10_000): Promise<string> {
    await until(() => this.over || this.grpcStatus !== undefined, { what: 'the stream to be ended', timeoutMs });
    return this.grpcStatus ?? 'reset';
  }
}
