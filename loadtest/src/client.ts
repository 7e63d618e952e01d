// The bench's client: one socket, as little work per frame as can be, the clock read first.
import { Client } from '@rungrid/client/client';
import type { RunEvent } from '@rungrid/client/frames';
import type { RunRequest } from '@rungrid/client/requests';
import type { SignOptions } from '@rungrid/proto/token';
import { signToken } from '@rungrid/proto/token';
import { WebSocket } from 'ws';

export interface Key {
  readonly keyId: string;
  readonly key: string;
}

/** What is run. */
export type Program = Pick<RunRequest, 'code' | 'language' | 'files' | 'tty'>;

/** A run that goes on. All times are performance.now(), ms. */
export interface BenchRun {
  /** Right before its frame was handed to the socket. */
  readonly clickMs: number;
  firstByteMs: number | undefined;
  endMs: number | undefined;
  /** Whether its sandbox was warm. */
  warm: boolean | undefined;
  /** exit reason, or error code. */
  reason: string | undefined;
  onText: ((text: string, atMs: number) => void) | undefined;
  readonly ended: Promise<unknown>;
  type(text: string): void;
}

export class BenchClient {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  /** Connected. Rejects when it cannot be. */
  static open(url: string): Promise<BenchClient> {
    return new Promise((resolve, reject) => {
      const client = new Client({
        url: `${url.replace(/^http/, 'ws')}/ws`,
        socket: (address) => new WebSocket(address, { perMessageDeflate: false }),
        reconnect: false,
        heartbeatMs: 0,
        onState: (state) => {
          if (state.kind === 'open') resolve(new BenchClient(client));
          else if (state.kind === 'closed')
            reject(new Error(`connection closed with ${state.close.code} ${state.close.reason}`));
        },
      });
      client.connect();
    });
  }

  /** Clicks Run. */
  click(program: Program, token: string): BenchRun {
    const handle = this.#client.run({ ...program, token }, { onEvent: (event, atMs) => take(run, event, atMs) });
    const run: BenchRun = {
      clickMs: handle.sentMs ?? performance.now(),
      firstByteMs: undefined,
      endMs: undefined,
      warm: undefined,
      reason: undefined,
      onText: undefined,
      ended: handle.ended,
      type: (text) => handle.send('stdin', { text }),
    };
    return run;
  }

  /** Types `text`; resolves with the ms until `answer` is on the screen. */
  echo(run: BenchRun, options: { text: string; answer: string; timeoutMs: number }): Promise<number> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no echo of ${JSON.stringify(options.text)} in ${options.timeoutMs} ms`)),
        options.timeoutMs,
      );
      let seen = '';
      run.onText = (text, atMs) => {
        seen += text;
        if (!seen.endsWith(options.answer)) return;
        clearTimeout(timer);
        run.onText = undefined;
        resolve(atMs - startMs);
      };
      const startMs = performance.now();
      run.type(options.text);
    });
  }

  close(): void {
    this.#client.close();
  }
}

function take(run: BenchRun, { event, data }: RunEvent, atMs: number): void {
  if (event === 'stdout') {
    run.firstByteMs ??= atMs;
    run.onText?.(data.text, atMs);
  } else if (event === 'started') {
    run.warm = data.warm;
  } else if (event === 'exit' || event === 'error' || event === 'lost') {
    run.endMs = atMs;
    run.reason = event === 'exit' ? data.reason : event === 'error' ? data.code : data.message;
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
    timer = setTimeout(() => reject(new Error(`a run did not end in ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([run.ended, late]);
    return run;
  } finally {
    clearTimeout(timer);
  }
}
