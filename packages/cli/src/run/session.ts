// One run from a terminal: this process's stdin, stdout and signals are the program's, and one exit code comes at the end.
import { once } from 'node:events';
import { StringDecoder } from 'node:string_decoder';
import { Client } from '@rungrid/client/client';
import type { RunEnd } from '@rungrid/client/frames';
import type { RunFile, RunRequest } from '@rungrid/client/requests';
import type { Run } from '@rungrid/client/run';
import { SUBPROTOCOL } from '@rungrid/proto/limits';
import { WebSocket } from 'ws';
import { CliError } from '../errors.js';
import { EXIT_UNREAD, exitCodeOf, explain } from './outcome.js';

/** After a stop, the run's end must come within this, ms. */
const STOP_TIMEOUT_MS = 5_000;
/** Largest server frame: an output frame of 16 KB is at most six times that as JSON. */
const MAX_PAYLOAD_BYTES = 1_048_576;

export interface SessionOptions {
  /** Asked at each attempt to connect. */
  readonly url: () => string;
  readonly token: string;
  readonly code: string;
  readonly language: string;
  readonly args: readonly string[];
  readonly files: readonly RunFile[];
  /** On a terminal, which is this process's own. */
  readonly tty: boolean;
}

/** Runs the program with this process's stdin, stdout and stderr. Resolves with the exit code; rejects with CliError when Rungrid failed. */
export async function runSession({ url, tty, args, files, ...program }: SessionOptions): Promise<number> {
  /** Why this end gave the run up. */
  let failure: string | undefined;
  const fail = (why: string) => {
    failure ??= why;
    client.close();
  };
  let asked = '';
  const client = new Client({
    url: () => (asked = url()),
    // The library leaves the Origin header out, and the token is signed for the empty origin.
    socket: (address) =>
      new WebSocket(address, SUBPROTOCOL, { maxPayload: MAX_PAYLOAD_BYTES, perMessageDeflate: false }),
    onState: (state) => {
      if (state.kind === 'waiting' && client.hello === undefined)
        fail(`cannot connect to ${asked}: ${state.close?.reason ?? ''}. Is it up? See ./rungrid status.`);
    },
  });
  const request: RunRequest = {
    ...program,
    ...(args.length > 0 ? { args } : {}),
    ...(files.length > 0 ? { files } : {}),
    ...(tty ? { tty: terminalSize() } : {}),
    on_disconnect: 'keep',
  };
  const run = client.run(request);
  const terminal = new Terminal(run, { tty, onStopTimeout: fail });
  try {
    await terminal.show();
    return exitCode(await run.ended, { isUnread: terminal.isUnread, failure });
  } finally {
    terminal.detach();
    client.close();
  }
}

function exitCode(end: RunEnd, { isUnread, failure }: { isUnread: boolean; failure: string | undefined }): number {
  if (end.event === 'lost') throw new CliError(failure ?? end.data.message);
  if (end.event === 'error') throw new CliError(`${end.data.code}: ${end.data.message}`);
  if (isUnread) return EXIT_UNREAD;
  const why = explain(end.data);
  if (why !== undefined) note(why);
  return exitCodeOf(end.data);
}

/** This process's streams and signals, as those of a run. */
class Terminal {
  readonly #run: Run;
  readonly #onStopTimeout: (why: string) => void;
  readonly #detachers: (() => void)[] = [];
  #isInterrupted = false;
  #isUnread = false;

  constructor(run: Run, options: { tty: boolean; onStopTimeout: (why: string) => void }) {
    this.#run = run;
    this.#onStopTimeout = options.onStopTimeout;
    if (options.tty) this.#takeTerminal();
    this.#sendStdin();
    this.#on(process, 'SIGINT', () => this.#interrupt());
    this.#on(process, 'SIGTERM', () => this.#stop());
    this.#on(process, 'SIGHUP', () => this.#stop());
    this.#on(process.stdout, 'error', () => this.#readerClosed());
  }

  /** Whether the reader of our output has closed it. */
  get isUnread(): boolean {
    return this.#isUnread;
  }

  /** Writes the run's events up to its end. A slow reader of our output slows the run. */
  async show(): Promise<void> {
    for await (const { event, data } of this.#run) {
      if (event === 'stdout') await this.#write(process.stdout, data.text);
      else if (event === 'stderr' || event === 'compile') await this.#write(process.stderr, data.text);
      else if (event === 'interrupted') note('lost the connection; the program goes on, reconnecting');
      else if (event === 'gap') note('some of the output was lost with the connection');
    }
  }

  /** Lets go of streams, signals and timers. */
  detach(): void {
    for (const detach of this.#detachers.splice(0)) detach();
    process.stdin.pause();
  }

  #sendStdin(): void {
    const decoder = new StringDecoder('utf8');
    const end = () => {
      void this.#run.write(decoder.end());
      this.#run.closeStdin();
    };
    this.#on(process.stdin, 'data', (bytes: Buffer) => {
      process.stdin.pause();
      void this.#run.write(decoder.write(bytes)).then(() => process.stdin.resume());
    });
    this.#on(process.stdin, 'end', end);
    this.#on(process.stdin, 'error', end);
  }

  /** Every key goes to the program, whose own terminal echoes it, edits lines and makes signals of Ctrl-C. Given back in detach(). */
  #takeTerminal(): void {
    process.stdin.setRawMode(true);
    this.#detachers.push(() => process.stdin.setRawMode(false));
    this.#on(process.stdout, 'resize', () => this.#run.resize(terminalSize()));
  }

  #on(emitter: NodeJS.EventEmitter, event: string, listener: (...args: never[]) => void): void {
    const any = listener as (...args: unknown[]) => void;
    emitter.on(event, any);
    this.#detachers.push(() => emitter.off(event, any));
  }

  /** The first Ctrl-C is the program's; a second one, or one that cannot be sent, ends it. */
  #interrupt(): void {
    if (this.#isInterrupted || !this.#run.signal('SIGINT')) this.#stop();
    this.#isInterrupted = true;
  }

  #stop(): void {
    this.#run.stop();
    const timer = setTimeout(
      () => this.#onStopTimeout('the program was stopped, but its end was not confirmed'),
      STOP_TIMEOUT_MS,
    );
    this.#detachers.push(() => clearTimeout(timer));
  }

  /** The reader of our output closed it (`| head`): the program is stopped, and there is nothing to say about it. */
  #readerClosed(): void {
    if (this.#isUnread) return;
    this.#isUnread = true;
    this.#stop();
  }

  async #write(stream: NodeJS.WriteStream, text: string): Promise<void> {
    // A stream that is closed meanwhile never drains: its error ends the wait.
    if (!this.#isUnread && !stream.write(text)) await once(stream, 'drain').catch(() => undefined);
  }
}

function note(text: string): void {
  process.stderr.write(`rungrid: ${text}\n`);
}

/** Of this process's terminal, within what the protocol takes. */
function terminalSize(): { cols: number; rows: number } {
  const within = (value: number): number => Math.max(1, Math.min(1000, value));
  return { cols: within(process.stdout.columns), rows: within(process.stdout.rows) };
}
