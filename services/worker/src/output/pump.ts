// The output pump: counts bytes against the limit, joins small writes, cuts large ones, never splits a code point.
import { StringDecoder } from 'node:string_decoder';
import { OUTPUT_CHUNK_BYTES, OUTPUT_COALESCE_MS } from '@rungrid/proto/limits';

/** Pieces that are sent unjoined after a quiet time or after input: a line is often two writes, an answer two or three. */
const BURST_PIECES = 4;

export type OutputStream = 'stdout' | 'stderr';

export interface PumpOptions {
  /** Most bytes of both streams together. */
  readonly limitBytes: number;
  /** Takes text in order; at most OUTPUT_CHUNK_BYTES code units each. */
  readonly emit: (stream: OutputStream, text: string) => void;
  /** Called once, at the first byte over the limit; the bytes up to it were accepted. */
  readonly onLimit: () => void;
}

/**
 * Sends the first pieces after a quiet time, or after input, at once; joins what follows for at most OUTPUT_COALESCE_MS, up to
 * OUTPUT_CHUNK_BYTES.
 * Holds at most OUTPUT_CHUNK_BYTES of text and 3 bytes of a cut code point for each stream.
 */
export class OutputPump {
  readonly #options: PumpOptions;
  readonly #decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') };
  #pending = '';
  #pendingStream: OutputStream = 'stdout';
  #timer: NodeJS.Timeout | undefined;
  #burstLeft = BURST_PIECES;
  #bytes = 0;
  #limitReached = false;
  #ended = false;

  constructor(options: PumpOptions) {
    this.#options = options;
  }

  /** Bytes of the program's output that were accepted. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether bytes were refused. */
  get truncated(): boolean {
    return this.#limitReached;
  }

  push(stream: OutputStream, chunk: Buffer): void {
    if (this.#limitReached || this.#ended) return;
    const room = this.#options.limitBytes - this.#bytes;
    const taken = chunk.length > room ? chunk.subarray(0, room) : chunk;
    this.#bytes += taken.length;
    if (stream !== this.#pendingStream) this.#flush();
    this.#pendingStream = stream;
    this.#pending += this.#decoders[stream].write(taken);
    if (this.#burstLeft > 0 || this.#pending.length >= OUTPUT_CHUNK_BYTES) {
      this.#burstLeft = Math.max(0, this.#burstLeft - 1);
      this.#flush();
    }
    this.#timer ??= setTimeout(() => this.#onTimer(), OUTPUT_COALESCE_MS);
    if (taken.length < chunk.length) {
      this.#limitReached = true;
      this.#options.onLimit();
    }
  }

  /** The program got input: its answer is sent at once. */
  expectAnswer(): void {
    this.#burstLeft = BURST_PIECES;
  }

  /** Flushes; an unfinished code point becomes U+FFFD. Later pushes are dropped. Idempotent. */
  end(): void {
    if (this.#ended) return;
    this.#flush();
    for (const stream of ['stdout', 'stderr'] as const) {
      this.#pendingStream = stream;
      this.#pending = this.#decoders[stream].end();
      this.#flush();
    }
    clearTimeout(this.#timer);
    this.#ended = true;
  }

  /** A window without output restores the burst; otherwise joining continues. */
  #onTimer(): void {
    this.#timer = undefined;
    if (this.#pending === '') {
      this.#burstLeft = BURST_PIECES;
      return;
    }
    this.#flush();
    this.#timer = setTimeout(() => this.#onTimer(), OUTPUT_COALESCE_MS);
  }

  #flush(): void {
    const text = this.#pending;
    if (text === '') return;
    this.#pending = '';
    for (let start = 0; start < text.length; ) {
      const end = cut(text, start + OUTPUT_CHUNK_BYTES);
      this.#options.emit(this.#pendingStream, start === 0 && end === text.length ? text : text.slice(start, end));
      start = end;
    }
  }
}

/** The index nearest below `end` that does not split a surrogate pair. */
function cut(text: string, end: number): number {
  if (end >= text.length) return text.length;
  const unit = text.charCodeAt(end - 1);
  return unit >= 0xd800 && unit <= 0xdbff ? end - 1 : end;
}
