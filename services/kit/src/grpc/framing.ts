// Messages on a gRPC stream: a flag, a length, the bytes; joined again however the DATA frames cut them.
import { Buffer } from 'node:buffer';
import { PREFIX_BYTES } from '@rungrid/proto/method';
import { STATUS, type Status } from './status.js';

/** First room for a message that comes in parts, bytes; it doubles as the parts come. */
const FIRST_ROOM = 1024;

/** Fills in the prefix of an encoded message: it is ready to be written. */
export function frame(encoded: Uint8Array): Buffer {
  const framed = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  framed.writeUInt32BE(framed.length - PREFIX_BYTES, 1);
  return framed;
}

export interface FrameReaderOptions {
  /** Longest message. A longer one is refused by its length, before a byte of it is kept. */
  readonly maxBytes: number;
  /** The bytes may be a part of the chunk: they hold until the next turn only if the callee keeps the chunk. */
  readonly onMessage: (bytes: Buffer) => void;
}

export class FrameReader {
  readonly #options: FrameReaderOptions;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixHas = 0;
  /** A message of which a part is here. What is held is at most twice of what has come, whatever length was claimed. */
  #body: Buffer | undefined;
  #bodyHas = 0;
  #bodyNeeds = 0;
  #stopped = false;

  constructor(options: FrameReaderOptions) {
    this.#options = options;
  }

  /** Whether a message has begun and is not whole. */
  get midMessage(): boolean {
    return this.#prefixHas > 0 || this.#body !== undefined;
  }

  /** Nothing more is delivered, also of the chunk in hand. */
  stop(): void {
    this.#stopped = true;
    this.#body = undefined;
  }

  /** Takes the next bytes, and delivers what is whole. A status: the peer broke the rules, and the reader has stopped. */
  push(chunk: Buffer): Status | undefined {
    let at = 0;
    while (at < chunk.length && !this.#stopped) {
      if (this.#body !== undefined) {
        at += this.#fill(chunk.subarray(at, at + this.#bodyNeeds - this.#bodyHas));
        continue;
      }
      let flag: number | undefined;
      let length: number;
      if (this.#prefixHas === 0 && chunk.length - at >= PREFIX_BYTES) {
        flag = chunk[at];
        length = chunk.readUInt32BE(at + 1);
        at += PREFIX_BYTES;
      } else {
        const copied = chunk.copy(this.#prefix, this.#prefixHas, at);
        at += copied;
        this.#prefixHas += copied;
        if (this.#prefixHas < PREFIX_BYTES) return undefined;
        this.#prefixHas = 0;
        flag = this.#prefix[0];
        length = this.#prefix.readUInt32BE(1);
      }
      const fault = this.#check(flag, length);
      if (fault !== undefined) return fault;
      if (chunk.length - at >= length) {
        this.#options.onMessage(chunk.subarray(at, at + length));
        at += length;
      } else {
        this.#begin(length);
      }
    }
    return undefined;
  }

  #check(flag: number | undefined, length: number): Status | undefined {
    if (flag === 0 && length <= this.#options.maxBytes) return undefined;
    this.stop();
    // Neither side says that it takes a compression.
    if (flag !== 0) return { code: STATUS.INTERNAL, details: 'a message is compressed, or its flag is not one' };
    return {
      code: STATUS.RESOURCE_EXHAUSTED,
      details: `a message of ${length} bytes; ${this.#options.maxBytes} is the longest`,
    };
  }

  #begin(length: number): void {
    this.#body = Buffer.allocUnsafeSlow(Math.min(length, FIRST_ROOM));
    this.#bodyHas = 0;
    this.#bodyNeeds = length;
  }

  #fill(part: Buffer): number {
    let body = this.#body as Buffer;
    const has = this.#bodyHas + part.length;
    if (has > body.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(this.#bodyNeeds, has * 2));
      body.copy(larger, 0, 0, this.#bodyHas);
      this.#body = body = larger;
    }
    part.copy(body, this.#bodyHas);
    this.#bodyHas = has;
    if (has === this.#bodyNeeds) {
      this.#body = undefined;
      this.#options.onMessage(body);
    }
    return part.length;
  }
}
