// The engine's event stream, line by line: only events of the fleet's containers pass.
import { Transform, type TransformCallback } from 'node:stream';

/** A line is about 1 KB. One that grows past this ends the stream: the worker reconnects. */
const MAX_LINE_BYTES = 65_536;
const NEWLINE = 0x0a;

export class EventFilter extends Transform {
  readonly #isOwn: (line: Buffer) => boolean;
  #rest: Buffer = Buffer.alloc(0);

  constructor(isOwn: (line: Buffer) => boolean) {
    super();
    this.#isOwn = isOwn;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    try {
      done(null, this.#take(chunk));
    } catch (error) {
      done(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #take(chunk: Buffer): Buffer | undefined {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const kept: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, start)) {
      const line = bytes.subarray(start, end + 1);
      if (line.length > 1 && this.#isOwn(line)) kept.push(line);
      start = end + 1;
    }
    this.#rest = Buffer.from(bytes.subarray(start));
    if (this.#rest.length > MAX_LINE_BYTES) throw new Error(`an event has more than ${MAX_LINE_BYTES} bytes`);
    return kept.length === 0 ? undefined : Buffer.concat(kept);
  }
}
