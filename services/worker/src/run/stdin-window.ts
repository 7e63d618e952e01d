// stdin in flight to the agent: in order, never more unacknowledged than the agent can hold, never more queued than the contract allows.
import { STDIN_WINDOW_BYTES } from '@rungrid/proto/limits';
import { STDIN_WINDOW_BYTES as AGENT_WINDOW_BYTES } from '@rungrid/sandbox/agent-frames';

const EOF = 'eof';

export interface StdinWindowOptions {
  readonly send: (bytes: Buffer) => void;
  readonly close: () => void;
}

export class StdinWindow {
  readonly #options: StdinWindowOptions;
  readonly #queue: (Buffer | typeof EOF)[] = [];
  #queuedBytes = 0;
  #inFlightBytes = 0;
  #opened = false;
  #closed = false;
  /** Bytes that came with the request: their acknowledgement is not reported to a client. */
  #unreportedBytes = 0;
  #receivedBytes = 0;

  constructor(options: StdinWindowOptions) {
    this.#options = options;
  }

  /** All that clients have written, bytes. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /** What clients have written and the program has not read, bytes. */
  get unreadBytes(): number {
    return Math.max(0, this.#queuedBytes + this.#inFlightBytes - this.#unreportedBytes);
  }

  /** The program is submitted: sends what is queued. */
  open(): void {
    this.#opened = true;
    this.#fill();
  }

  /** Queues the stdin of the request itself, then EOF. Bounded by the size of a request. */
  preset(bytes: Buffer): void {
    this.#unreportedBytes += bytes.length;
    this.#enqueue(bytes);
    this.close();
  }

  /** false: it would exceed STDIN_WINDOW_BYTES, and none of it was accepted. After close() it is dropped. */
  write(bytes: Buffer): boolean {
    if (this.#closed || bytes.length === 0) return true;
    if (this.unreadBytes + bytes.length > STDIN_WINDOW_BYTES) return false;
    this.#receivedBytes += bytes.length;
    this.#enqueue(bytes);
    return true;
  }

  /** EOF after everything written. Idempotent. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.push(EOF);
    this.#fill();
  }

  /** The agent acknowledged that many bytes. Returns how many of them to report to the client. */
  acknowledge(acknowledged: number): number {
    // Under some runtimes a program can forge its agent's frames: never count more than was in flight.
    const bytes = Math.min(acknowledged, this.#inFlightBytes);
    this.#inFlightBytes -= bytes;
    const unreported = Math.min(bytes, this.#unreportedBytes);
    this.#unreportedBytes -= unreported;
    this.#fill();
    return bytes - unreported;
  }

  #enqueue(bytes: Buffer): void {
    this.#queue.push(bytes);
    this.#queuedBytes += bytes.length;
    this.#fill();
  }

  #fill(): void {
    if (!this.#opened) return;
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      if (head === EOF) {
        this.#queue.shift();
        this.#options.close();
        continue;
      }
      const room = AGENT_WINDOW_BYTES - this.#inFlightBytes;
      if (room <= 0) return;
      const piece = head.subarray(0, room);
      if (piece.length === head.length) this.#queue.shift();
      else this.#queue[0] = head.subarray(room);
      this.#queuedBytes -= piece.length;
      this.#inFlightBytes += piece.length;
      this.#options.send(piece);
    }
  }
}
