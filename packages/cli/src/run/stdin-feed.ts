// Carries stdin to a run: one chunk at a time, each confirmed before the next, so that a program that does not read slows the sender
// instead of losing input.
import { StringDecoder } from 'node:string_decoder';

/** Fits the smallest stdin buffer on the way (64 KB before the start) with room to spare, bytes. */
const CHUNK_BYTES = 49_152;
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
  /** Takes the right to send one chunk: 0, or how long to wait for it, ms. */
  permit(): number;
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
    const delayMs = this.#retryMs;
    this.#retryMs = Math.min(RETRY_MAX_MS, delayMs * 2);
    this.#wait(delayMs);
  }

  #wait(delayMs: number): void {
    // Nothing is sent meanwhile: what waits keeps its place.
    this.#inFlight = '';
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
    const delayMs = this.#ports.permit();
    if (delayMs > 0) return this.#wait(delayMs);
    const chunk = takeChunk(this.#waiting);
    this.#waiting = this.#waiting.slice(chunk.length);
    this.#inFlight = chunk;
    this.#ports.send(chunk);
  }
}

/** The first characters that are at most CHUNK_BYTES of UTF-8, never half of a surrogate pair. */
function takeChunk(text: string): string {
  // A UTF-16 unit is one to three bytes.
  const head = text.slice(0, CHUNK_BYTES);
  if (Buffer.byteLength(head) <= CHUNK_BYTES) return head === text ? head : wholeCharacters(head);
  return wholeCharacters(head.slice(0, Math.floor(CHUNK_BYTES / 3)));
}

function wholeCharacters(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xd800 && last <= 0xdbff ? text.slice(0, -1) : text;
}
