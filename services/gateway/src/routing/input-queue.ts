// What a client sends to a run before it has started, in order and bounded: a worker that is lost until then has told the program nothing.
import { Buffer } from 'node:buffer';
import type { RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import { STDIN_BUFFER_BYTES } from '@rungrid/proto/limits';

export type Input = NonNullable<RunInput['input']>;
/** Inputs other than stdin that may wait; a person sends a few. */
const MAX_CONTROLS = 64;

export class InputQueue {
  /** Text is joined with the text before it, so that many small frames make one message. */
  #items: (Input | string)[] = [];
  #controls = 0;
  #bytes = 0;

  /** false: full, nothing of the text is taken. */
  pushText(text: string): boolean {
    const bytes = Buffer.byteLength(text);
    if (this.#bytes + bytes > STDIN_BUFFER_BYTES) return false;
    this.#bytes += bytes;
    const last = this.#items.at(-1);
    if (typeof last === 'string') this.#items[this.#items.length - 1] = last + text;
    else this.#items.push(text);
    return true;
  }

  /** false: full, the input is not taken. */
  push(input: Input): boolean {
    if (this.#controls >= MAX_CONTROLS) return false;
    this.#controls += 1;
    this.#items.push(input);
    return true;
  }

  /** Everything, in order. */
  all(): Input[] {
    return this.#items.map((item) => (typeof item === 'string' ? stdinInput(item) : item));
  }

  /** Nothing of it is needed any more. */
  clear(): void {
    this.#items = [];
    this.#controls = 0;
    this.#bytes = 0;
  }
}

function stdinInput(text: string): Input {
  return { $case: 'stdin', value: Buffer.from(text, 'utf8') };
}
