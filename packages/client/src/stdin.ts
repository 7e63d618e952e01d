// stdin of one run: sent chunk by chunk, each confirmed before the next, so that a program that does not read loses nothing; what a lost
// connection took with it is sent again.

/** Text of one frame, UTF-8 bytes: fits the smallest buffer on the way (STDIN_BUFFER_BYTES, 64 KB until the start). */
const CHUNK_BYTES = 49_152;
/** What is kept for a resume, bytes: gateway and worker hold no more between them (twice STDIN_WINDOW_BYTES). */
const KEEP_BYTES = 524_288;
/** Pauses before a chunk that was refused for want of room is sent again, ms. */
const RETRY_FIRST_MS = 20;
const RETRY_MAX_MS = 500;

const encoder = new TextEncoder();
const chunkBuffer = new Uint8Array(CHUNK_BYTES);

export interface StdinPort {
  /** Sends `stdin`, then a `ping` whose answer calls `confirmed`. Frames are answered in order: a refusal comes before it. */
  sendText(text: string): void;
  /** Sends `stdin_close`. */
  sendClose(): void;
  /** Takes the right to send one chunk: 0, or how long to wait for it, ms. */
  takePermit(): number;
}

interface Chunk {
  readonly text: string;
  readonly bytes: number;
}

export class StdinQueue {
  readonly #port: StdinPort;
  /** Not sent yet. */
  #waiting = '';
  /** Sent, the youngest last; what was sent before them is `#base` bytes. */
  #sent: Chunk[] = [];
  #base = 0;
  #sentBytes = 0;
  #drained: (() => void)[] = [];
  /** Whether frames can be sent now. */
  #open = false;
  #inFlight = false;
  #refused = false;
  #retryMs = RETRY_FIRST_MS;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;
  #closeSent = false;

  constructor(port: StdinPort) {
    this.#port = port;
  }

  /** Resolves once the text has been sent. Never rejects: what a run that has ended did not get is dropped. */
  write(text: string): Promise<void> {
    if (this.#ended || text === '') return Promise.resolve();
    this.#waiting += text;
    this.#next();
    return this.#waiting === '' ? Promise.resolve() : new Promise((resolve) => this.#drained.push(resolve));
  }

  /** EOF after what was written. */
  end(): void {
    this.#ended = true;
    this.#next();
  }

  /** The run takes stdin on this connection. `received`: bytes that it has of earlier ones; what is missing is sent again. */
  open(received = 0): void {
    this.close();
    this.#waiting = this.#unreceived(received) + this.#waiting;
    this.#open = true;
    this.#closeSent = false;
    this.#next();
  }

  /** The connection is lost, or the run has ended (`final`: nothing is sent any more). */
  close(final = false): void {
    this.#open = false;
    this.#inFlight = false;
    this.#refused = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (!final) return;
    this.#ended = true;
    this.#waiting = '';
    this.#sent = [];
    this.#settle();
  }

  /** The server had no room for the chunk in flight. false: there is none, the error is about another frame. */
  refuse(): boolean {
    this.#refused = this.#inFlight;
    return this.#inFlight;
  }

  /** The answer to the ping behind the chunk in flight. */
  confirmed(): void {
    if (!this.#inFlight) return;
    this.#inFlight = false;
    if (!this.#refused) {
      this.#retryMs = RETRY_FIRST_MS;
      return this.#next();
    }
    this.#refused = false;
    const chunk = this.#sent.pop();
    if (chunk !== undefined) {
      this.#sentBytes -= chunk.bytes;
      this.#waiting = chunk.text + this.#waiting;
    }
    this.#later(this.#retryMs);
    this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
  }

  #next(): void {
    if (!this.#open || this.#inFlight || this.#timer !== undefined) return;
    if (this.#waiting === '') {
      if (this.#ended && !this.#closeSent) {
        this.#closeSent = true;
        this.#port.sendClose();
      }
      return;
    }
    const delayMs = this.#port.takePermit();
    if (delayMs > 0) return this.#later(delayMs);
    // As many whole characters as fit.
    const { read, written } = encoder.encodeInto(this.#waiting, chunkBuffer);
    const text = this.#waiting.slice(0, read);
    this.#waiting = this.#waiting.slice(read);
    this.#keep({ text, bytes: written });
    this.#inFlight = true;
    this.#port.sendText(text);
    if (this.#waiting === '') this.#settle();
  }

  #later(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#next();
    }, delayMs);
  }

  #keep(chunk: Chunk): void {
    this.#sent.push(chunk);
    this.#sentBytes += chunk.bytes;
    while (this.#sentBytes - (this.#sent[0]?.bytes ?? 0) >= KEEP_BYTES) {
      const oldest = this.#sent.shift();
      this.#base += oldest?.bytes ?? 0;
      this.#sentBytes -= oldest?.bytes ?? 0;
    }
  }

  /** The text after the first `received` bytes that were sent; from now on those are all that was. */
  #unreceived(received: number): string {
    let skip = received - this.#base;
    const missing: string[] = [];
    for (const { text, bytes } of this.#sent) {
      if (skip <= 0) missing.push(text);
      else if (skip < bytes) missing.push(new TextDecoder().decode(encoder.encode(text).subarray(skip)));
      skip -= bytes;
    }
    this.#sent = [];
    this.#sentBytes = 0;
    this.#base = received;
    return missing.join('');
  }

  #settle(): void {
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}

/** Chunks as a share of the frames that the gateway takes: each is two frames, and signals need room. */
const STDIN_SHARE = 0.4;

/** How fast the runs of one connection may send chunks together: a token bucket that holds one second. */
export class StdinPace {
  readonly #perMs: number;
  readonly #capacity: number;
  #permits: number;
  #atMs = performance.now();

  /** @param framesPerSecond `hello.limits.frames_per_second`; default: what any gateway takes */
  constructor(framesPerSecond = 100) {
    this.#capacity = Math.max(1, framesPerSecond * STDIN_SHARE);
    this.#perMs = this.#capacity / 1000;
    this.#permits = this.#capacity;
  }

  /** Takes one permit. Returns 0, or how long to wait for it, ms. */
  take(): number {
    const nowMs = performance.now();
    this.#permits = Math.min(this.#capacity, this.#permits + Math.max(0, nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    if (this.#permits < 1) return Math.max(1, Math.ceil((1 - this.#permits) / this.#perMs));
    this.#permits -= 1;
    return 0;
  }
}
