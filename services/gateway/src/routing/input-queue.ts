// What a client sends to a run before its worker's stream is open, in order and bounded.
import { Buffer } from 'node:buffer';
import type { RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';

export type Input = NonNullable<RunInput['input']>;
/** Inputs other than stdin that may wait; a person sends a few. */
const MAX_CONTROLS = 64;

export class InputQueue {
  /** Text is joined with the text before it, so that many small frames make one message. */
  #items: (Input | string)[] = [];
  #controls = 0;

  /** The caller bounds the bytes. */
  pushText(text: string): void {
    const last = this.#items.at(-1);
    if (typeof last === 'string') this.#items[this.#items.length - 1] = last + text;
    else this.#items.push(text);
  }

  /** false: full, the input is not taken. */
  push(input: Input): boolean {
    if (this.#controls >= MAX_CONTROLS) return false;
    this.#controls += 1;
    this.#items.push(input);
    return true;
  }

  /** Everything, in order; the queue is empty afterwards. */
  drain(): Input[] {
    const items = this.#items;
    this.#items = [];
    this.#controls = 0;
    return items.map((item) => (typeof item === 'string' ? stdinInput(item) : item));
  }
}

export function stdinInput(text: string): Input {
  return { $case: 'stdin', value: Buffer.from(text, 'utf8') };
}
