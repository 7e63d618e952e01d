// Takes Docker's multiplexed attach stream apart: a header of 8 bytes (stream u8, 3 zero bytes, length u32) before each payload.

const HEADER_BYTES = 8;
const STDOUT = 1;
/** Streams: 0 stdin, 1 stdout, 2 stderr, 3 an error of the engine. */
const LAST_STREAM = 3;

/**
 * Iterative, in constant memory: payload goes to `onStdout` as it arrives, as views of the chunk; the other
 * streams are dropped. Each byte is read once, however a hostile program splits its writes.
 */
export class StdcopyDemuxer {
  readonly #onStdout: (payload: Buffer) => void;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  #stream = 0;
  /** Bytes of the current payload that are still to come. */
  #remaining = 0;

  constructor(onStdout: (payload: Buffer) => void) {
    this.#onStdout = onStdout;
  }

  /** False when this is not such a stream: nothing after it is trustworthy. */
  push(chunk: Buffer): boolean {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#remaining > 0) {
        const end = Math.min(offset + this.#remaining, chunk.length);
        this.#remaining -= end - offset;
        if (this.#stream === STDOUT) this.#onStdout(chunk.subarray(offset, end));
        offset = end;
      } else {
        const taken = this.#takeHeader(chunk, offset);
        if (taken < 0) return false;
        offset += taken;
      }
    }
    return true;
  }

  /** How many bytes went into the header; -1 for an invalid header. */
  #takeHeader(chunk: Buffer, offset: number): number {
    let header = chunk;
    let at = offset;
    let taken = HEADER_BYTES;
    if (this.#headerBytes > 0 || chunk.length - offset < HEADER_BYTES) {
      taken = chunk.copy(this.#header, this.#headerBytes, offset, offset + HEADER_BYTES - this.#headerBytes);
      this.#headerBytes += taken;
      if (this.#headerBytes < HEADER_BYTES) return taken;
      header = this.#header;
      at = 0;
      this.#headerBytes = 0;
    }
    this.#stream = header.readUInt8(at);
    if (this.#stream > LAST_STREAM) return -1;
    this.#remaining = header.readUInt32BE(at + 4);
    return taken;
  }
}
