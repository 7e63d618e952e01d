// The co-tenant: another client's session that keeps echoing lines, and measures how long each echo takes.
import { type Client } from './client.js';
import type { RunHandle } from './run-handle.js';
import type { Stack } from './stack.js';
import { quietFor, until } from '@rungrid/testkit/until';

const ECHO =
  'import sys\nprint("up", flush=True)\nfor line in sys.stdin:\n    print("<" + line.strip() + ">", flush=True)\n';

export class CoTenant {
  readonly #client: Client;
  readonly #run: RunHandle;
  readonly #timesMs: number[] = [];
  readonly #paceMs: number;
  #count = 0;
  #going = true;
  readonly #loop: Promise<void>;

  private constructor(client: Client, run: RunHandle, paceMs: number) {
    this.#client = client;
    this.#run = run;
    this.#paceMs = paceMs;
    this.#loop = this.#echo();
  }

  /** Connects, starts the program and keeps talking to it, with `paceMs` between an echo and the next line. Default 5: a socket may send 300 frames a second. */
  static async start(stack: Stack, options: { paceMs?: number } = {}): Promise<CoTenant> {
    const client = await stack.connect();
    const run = client.run(ECHO, 'python');
    await run.output('up');
    return new CoTenant(client, run, options.paceMs ?? 5);
  }

  /** Echo times so far, ms. */
  get timesMs(): readonly number[] {
    return this.#timesMs;
  }

  /** Waits for `rounds` more echoes: the co-tenant lives. */
  async alive(rounds = 3, timeoutMs = 10_000): Promise<void> {
    const goal = this.#timesMs.length + rounds;
    await until(() => this.#timesMs.length >= goal || this.#isOver(), {
      what: () => `the co-tenant's echo; ${this.#run.describe()}`,
      timeoutMs,
    });
    if (this.#isOver()) throw new Error(`the co-tenant's run ended; ${this.#run.describe()}`);
  }

  /** Ends it; its program ends by EOF, as it should. */
  async close(): Promise<void> {
    this.#going = false;
    await this.#loop;
    this.#run.eof();
    const exit = await this.#run.exit();
    await this.#client.close();
    if (exit.reason !== 'exited' || exit.code !== 0)
      throw new Error(`the co-tenant ended as ${exit.reason}, code ${exit.code}`);
  }

  #isOver(): boolean {
    return this.#run.ended !== undefined || this.#client.closeInfo !== undefined;
  }

  async #echo(): Promise<void> {
    while (this.#going && !this.#isOver()) {
      const text = `<n${++this.#count}>`;
      const startMs = performance.now();
      this.#run.stdin(`n${this.#count}\n`);
      const seen = () => this.#run.stdout.endsWith(`${text}\n`) || this.#isOver();
      await until(seen, { what: `the echo ${text}`, everyMs: 1, timeoutMs: 20_000 });
      if (this.#isOver()) return;
      this.#timesMs.push(performance.now() - startMs);
      await quietFor(this.#paceMs);
    }
  }
}

/** The time that `share` (0 to 1) of `timesMs` do not exceed; 0 for none. */
export function quantile(timesMs: readonly number[], share: number): number {
  const sorted = timesMs.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}
