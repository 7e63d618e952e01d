// The bench's client: one socket, as little work per frame as can be, the clock read first.
import type { SignOptions } from '@rungrid/proto/token';
import { signToken } from '@rungrid/proto/token';
import { WebSocket } from 'ws';

export interface Key {
  readonly keyId: string;
  readonly key: string;
}

/** What run_code is sent, but for its token and name. */
export interface Program {
  readonly code: string;
  readonly language: string;
  readonly files?: readonly { readonly name: string; readonly content: string }[];
  readonly tty?: { readonly cols: number; readonly rows: number };
}

interface Frame {
  readonly event: string;
  readonly data: {
    readonly run?: string;
    readonly text?: string;
    readonly reason?: string;
    readonly code?: string | number | null;
    readonly warm?: boolean;
  };
}

/** A run that goes on. All times are performance.now(), ms. */
export interface BenchRun {
  readonly name: string;
  readonly clickMs: number;
  firstByteMs: number | undefined;
  endMs: number | undefined;
  /** Whether its sandbox was warm. */
  warm: boolean | undefined;
  /** exit reason, or error code. */
  reason: string | undefined;
  /** Bytes of text so far (UTF-16 units). */
  units: number;
  onText: ((text: string, atMs: number) => void) | undefined;
  readonly ended: Promise<BenchRun>;
}

let count = 0;

export class BenchClient {
  readonly #socket: WebSocket;
  readonly #live = new Map<string, { run: BenchRun; resolve: (run: BenchRun) => void }>();
  #gone: string | undefined;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', (data: Buffer) => this.#onMessage(data));
    socket.on('close', (code) => {
      this.#gone = `socket closed with ${code}`;
      for (const name of this.#live.keys()) this.#finish(name, this.#gone, performance.now());
    });
    socket.on('error', (error) => {
      this.#gone = error.message;
    });
  }

  static async open(url: string): Promise<BenchClient> {
    const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`, { perMessageDeflate: false });
    const client = new BenchClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  get live(): number {
    return this.#live.size;
  }

  /** Clicks Run: the clock starts right before the frame is handed to the socket. */
  click(program: Program, token: string): BenchRun {
    const name = `b${++count}`;
    const text = JSON.stringify({ event: 'run_code', data: { ...program, token, run: name } });
    let resolve: (run: BenchRun) => void = () => undefined;
    const ended = new Promise<BenchRun>((done) => {
      resolve = done;
    });
    const run: BenchRun = {
      name,
      clickMs: performance.now(),
      firstByteMs: undefined,
      endMs: undefined,
      warm: undefined,
      reason: undefined,
      units: 0,
      onText: undefined,
      ended,
    };
    this.#live.set(name, { run, resolve });
    if (this.#gone === undefined) this.#socket.send(text);
    else this.#finish(name, this.#gone, run.clickMs);
    return run;
  }

  /** Types `text`; resolves with the ms until `answer` is on the screen. */
  echo(run: BenchRun, options: { text: string; answer: string; timeoutMs: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no echo of ${JSON.stringify(options.text)} in ${options.timeoutMs} ms`)),
        options.timeoutMs,
      );
      const frame = JSON.stringify({ event: 'stdin', data: { text: options.text, run: run.name } });
      let seen = '';
      run.onText = (text, atMs) => {
        seen += text;
        if (!seen.endsWith(options.answer)) return;
        clearTimeout(timer);
        run.onText = undefined;
        resolve(atMs - startMs);
      };
      const startMs = performance.now();
      this.#socket.send(frame);
    });
  }

  send(event: string, data: object): void {
    this.#socket.send(JSON.stringify({ event, data }));
  }

  async close(): Promise<void> {
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    await new Promise<void>((resolve) => {
      this.#socket.once('close', () => resolve());
      this.#socket.close();
    });
  }

  #onMessage(data: Buffer): void {
    const atMs = performance.now();
    const { event, data: fields } = JSON.parse(data.toString()) as Frame;
    const entry = fields?.run === undefined ? undefined : this.#live.get(fields.run);
    if (entry === undefined) return;
    const { run } = entry;
    if (event === 'stdout') {
      const text = fields.text ?? '';
      run.firstByteMs ??= atMs;
      run.units += text.length;
      run.onText?.(text, atMs);
    } else if (event === 'started') {
      run.warm = fields.warm;
    } else if (event === 'exit') {
      this.#finish(run.name, fields.reason ?? 'exit', atMs);
    } else if (event === 'error') {
      this.#finish(run.name, String(fields.code), atMs);
    }
  }

  #finish(name: string, reason: string, atMs: number): void {
    const entry = this.#live.get(name);
    if (entry === undefined) return;
    this.#live.delete(name);
    entry.run.endMs = atMs;
    entry.run.reason = reason;
    entry.resolve(entry.run);
  }
}

/** Tokens ahead of the clicks, so that signing is not on the clock. Good for 5 minutes. */
export function mintTokens(key: Key, amount: number): string[] {
  const options: SignOptions = { ...key, origin: '' };
  return Array.from({ length: amount }, () => signToken(options));
}

/** Waits for the end of a run that must end in time. */
export async function endOf(run: BenchRun, timeoutMs = 60_000): Promise<BenchRun> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`run ${run.name} did not end in ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([run.ended, late]);
  } finally {
    clearTimeout(timer);
  }
}
