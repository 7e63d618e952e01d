// The output pump: counts bytes against the limit, joins small writes, cuts large ones, never splits a code point.
import { isUtf8 } from 'node:buffer';
import { OUTPUT_CHUNK_BYTES, OUTPUT_COALESCE_MS } from '@rungrid/proto/limits';

/** Pieces that are sent unjoined after a quiet time or after input: a line is often two writes, an answer two or three. */
const BURST_PIECES = 4;

const EMPTY = Buffer.alloc(0);

export type OutputStream = 'stdout' | 'stderr';

export interface PumpOptions {
  /** Most bytes of both streams together. */
  readonly limitBytes: number;
  /** Takes valid UTF-8 in order, at most OUTPUT_CHUNK_BYTES each, which may be a view of a pushed chunk. */
  readonly emit: (stream: OutputStream, bytes: Buffer) => void;
  /** Called once, at the first byte over the limit; the bytes up to it were accepted. */
  readonly onLimit: () => void;
}

/**
 * Sends the first pieces after a quiet time, or after input, at once; joins what follows for at most OUTPUT_COALESCE_MS, up to
 * OUTPUT_CHUNK_BYTES.
 * Holds at most OUTPUT_CHUNK_BYTES and 3 bytes of a cut code point for each stream.
 */
export class OutputPump {
  readonly #options: PumpOptions;
  /** The first bytes of a code point whose others are to come. */
  readonly #unfinished = { stdout: EMPTY, stderr: EMPTY };
  #pending: Buffer[] = [];
  #pendingBytes = 0;
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
    this.#add(this.#finished(stream, taken));
    if (this.#burstLeft > 0 || this.#pendingBytes >= OUTPUT_CHUNK_BYTES) {
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
      this.#add(valid(this.#unfinished[stream]));
      this.#flush();
    }
    clearTimeout(this.#timer);
    this.#ended = true;
  }

  /** A window without output restores the burst; otherwise joining continues. */
  #onTimer(): void {
    this.#timer = undefined;
    if (this.#pendingBytes === 0) {
      this.#burstLeft = BURST_PIECES;
      return;
    }
    this.#flush();
    this.#timer = setTimeout(() => this.#onTimer(), OUTPUT_COALESCE_MS);
  }

  /** What is whole up to here, as valid UTF-8. */
  #finished(stream: OutputStream, chunk: Buffer): Buffer {
    const before = this.#unfinished[stream];
    const bytes = before.length === 0 ? chunk : Buffer.concat([before, chunk]);
    const end = wholeLength(bytes);
    this.#unfinished[stream] = end === bytes.length ? EMPTY : Buffer.from(bytes.subarray(end));
    return valid(bytes.subarray(0, end));
  }

  #add(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
  }

  #flush(): void {
    if (this.#pendingBytes === 0) return;
    const bytes = this.#pending.length === 1 ? (this.#pending[0] as Buffer) : join(this.#pending, this.#pendingBytes);
    this.#pending = [];
    this.#pendingBytes = 0;
    for (let start = 0; start < bytes.length; ) {
      const end = cut(bytes, start + OUTPUT_CHUNK_BYTES);
      this.#options.emit(this.#pendingStream, bytes.subarray(start, end));
      start = end;
    }
  }
}

/** Not of the shared pool: a small event that is held for long would keep a whole block of it. */
function join(pieces: readonly Buffer[], length: number): Buffer {
  const joined = Buffer.allocUnsafeSlow(length);
  let at = 0;
  for (const piece of pieces) at += piece.copy(joined, at);
  return joined;
}

/** With U+FFFD in place of what is no UTF-8. */
function valid(bytes: Buffer): Buffer {
  return isUtf8(bytes) ? bytes : Buffer.from(bytes.toString());
}

/** How many bytes come before a code point that is cut by the end. */
function wholeLength(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (isContinuation(byte)) continue;
    const needed = byte >= 0xf8 ? 1 : byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
    return needed > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** The index nearest below `end` that does not split a code point of valid UTF-8. */
function cut(bytes: Buffer, end: number): number {
  if (end >= bytes.length) return bytes.length;
  let at = end;
  while (isContinuation(bytes[at] as number)) at -= 1;
  return at;
}

function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}
