// Carries stdin to a run: one chunk at a time, each confirmed before the next, so that a program that does not read slows the sender
// instead of losing input.
import { StringDecoder } from 'node:string_decoder';

/** Fits the smallest stdin buffer on the way (64 KB before the start) with room to spare, bytes. */
const CHUNK_BYTES = 16_384;
/** Pauses before a chunk that was refused for want of room is sent again, ms. */
const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 500;

export interface FeedPorts {
  /** Sends `stdin`, then a `ping` whose answer calls `confirmed`: frames are answered in order, so a refusal comes before it. */
  send(text: string): void;
  /** Sends `stdin_close`. */
  close(): void;
  /** Stops and resumes the source. */
  pause(): void;
  resume(): void;
  /** Calls back after a while. */
  later(callback: () => void, delayMs: number): void;
}

export class StdinFeed {
  readonly #ports: FeedPorts;
  readonly #decoder = new StringDecoder('utf8');
  #waiting = '';
  #inFlight: string | undefined;
  #refused = false;
  #retryMs = RETRY_FIRST_MS;
  #ended = false;
  #closed = false;

  constructor(ports: FeedPorts) {
    this.#ports = ports;
  }

  /** Bytes of the source. It is paused until they are on their way. */
  data(bytes: Buffer): void {
    this.#waiting += this.#decoder.write(bytes);
    if (this.#waiting.length > 0 && this.#inFlight !== undefined) this.#ports.pause();
    this.#next();
  }

  /** The source's end. */
  end(): void {
    this.#waiting += this.#decoder.end();
    this.#ended = true;
    this.#next();
  }

  /** The server had no room for the chunk that is on its way. */
  refuse(): void {
    this.#refused = true;
  }

  /** The answer to the ping behind the chunk. */
  confirmed(): void {
    const chunk = this.#inFlight;
    if (chunk === undefined) return;
    this.#inFlight = undefined;
    if (!this.#refused) {
      this.#retryMs = RETRY_FIRST_MS;
      this.#next();
      return;
    }
    this.#refused = false;
    this.#waiting = chunk + this.#waiting;
    // Nothing is sent meanwhile: the chunk keeps its place.
    this.#inFlight = '';
    const delayMs = this.#retryMs;
    this.#retryMs = Math.min(RETRY_MAX_MS, delayMs * 2);
    this.#ports.later(() => {
      this.#inFlight = undefined;
      this.#next();
    }, delayMs);
  }

  #next(): void {
    if (this.#inFlight !== undefined) return;
    if (this.#waiting === '') {
      if (!this.#ended) this.#ports.resume();
      else if (!this.#closed) {
        this.#closed = true;
        this.#ports.close();
      }
      return;
    }
    const chunk = takeChunk(this.#waiting);
    this.#waiting = this.#waiting.slice(chunk.length);
    this.#inFlight = chunk;
    this.#ports.send(chunk);
  }
}

/** The first characters that are at most CHUNK_BYTES of UTF-8, never half of a surrogate pair. */
function takeChunk(text: string): string {
  // At most three bytes a UTF-16 unit.
  if (text.length * 3 <= CHUNK_BYTES) return text;
  let end = Math.floor(CHUNK_BYTES / 3);
  const last = text.charCodeAt(end - 1);
  if (last >= 0xd800 && last <= 0xdbff) end--;
  return text.slice(0, end);
}
