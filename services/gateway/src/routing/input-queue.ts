// What a client sends to a run before it has started, in order and bounded: another worker gets it when the first is lost before the start.
import { Buffer } from 'node:buffer';
import { STDIN_BUFFER_BYTES } from '@rungrid/proto/limits';
import type { WorkerInput } from './types.js';

/** Inputs other than stdin that may wait; a person sends a few. */
const MAX_CONTROLS = 64;

export class InputQueue {
  #items: WorkerInput[] = [];
  #controls = 0;
  #bytes = 0;

  /** false: full, the input is not taken. Text is joined with the text before it, so that many small frames make one message. */
  push(input: WorkerInput): boolean {
    if (input.kind !== 'stdin') {
      if (this.#controls >= MAX_CONTROLS) return false;
      this.#controls += 1;
      this.#items.push(input);
      return true;
    }
    const bytes = Buffer.byteLength(input.text);
    if (this.#bytes + bytes > STDIN_BUFFER_BYTES) return false;
    this.#bytes += bytes;
    const last = this.#items.at(-1);
    if (last?.kind === 'stdin') this.#items[this.#items.length - 1] = { kind: 'stdin', text: last.text + input.text };
    else this.#items.push(input);
    return true;
  }

  /** Everything, in order. */
  all(): readonly WorkerInput[] {
    return this.#items;
  }

  /** The program has all of it. */
  clear(): void {
    this.#items = [];
    this.#controls = 0;
    this.#bytes = 0;
  }
}
