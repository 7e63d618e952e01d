// One run over the socket protocol, from a terminal: frames in, the program's streams out, one exit code at the end.
import type { ServerFrame } from '@rungrid/proto/frames';
import { SUBPROTOCOL, type SignalName } from '@rungrid/proto/limits';
import { TokenBucket } from '@rungrid/kit/token-bucket';
import { WebSocket } from 'ws';
import { CliError, messageOf } from '../errors.js';
import { EXIT_UNREAD, exitCodeOf, explain } from './outcome.js';
import { StdinFeed } from './stdin-feed.js';

/** How long the gateway may take to answer the upgrade, ms. */
const CONNECT_TIMEOUT_MS = 10_000;
/** After a stop, the run's end must come within this, ms. */
const STOP_TIMEOUT_MS = 5_000;
/** Chunks of stdin as a share of the frames that the gateway takes: each is two frames, and signals need room. */
const STDIN_SHARE = 0.4;
/** Largest server frame: an output frame of 16 KB is at most six times that as JSON. */
const MAX_PAYLOAD_BYTES = 1_048_576;

export interface SessionOptions {
  readonly url: string;
  readonly token: string;
  readonly code: string;
  readonly language: string;
  readonly args: readonly string[];
  readonly files: readonly RunFile[];
  /** On a terminal, which is this process's own. */
  readonly tty: boolean;
}

/** One more file of the run: it lies in /tmp beside the program. */
export interface RunFile {
  readonly name: string;
  readonly content: string;
}

/** Runs the program with this process's stdin, stdout and stderr. Resolves with the exit code; rejects with CliError when Rungrid failed. */
export function runSession(options: SessionOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    const session = new Session(options, {
      done: (code) => {
        session.detach();
        resolve(code);
      },
      failed: (message) => {
        session.detach();
        reject(new CliError(message));
      },
    });
  });
}

interface SessionEnd {
  done(code: number): void;
  failed(message: string): void;
}

class Session {
  readonly #socket: WebSocket;
  readonly #options: SessionOptions;
  readonly #end: SessionEnd;
  readonly #feed: StdinFeed;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #detachers: (() => void)[] = [];
  #rate = new TokenBucket({ capacity: 10, perSecond: 10 }, performance.now());
  #interrupts = 0;
  #unread = false;

  constructor(options: SessionOptions, end: SessionEnd) {
    this.#options = options;
    this.#end = end;
    // The library leaves the Origin header out, and the token is signed for the empty origin.
    this.#socket = new WebSocket(options.url, SUBPROTOCOL, {
      handshakeTimeout: CONNECT_TIMEOUT_MS,
      maxPayload: MAX_PAYLOAD_BYTES,
      perMessageDeflate: false,
    });
    this.#feed = new StdinFeed({
      send: (text) => {
        this.#send('stdin', { text });
        this.#send('ping', null);
      },
      close: () => this.#send('stdin_close', {}),
      pause: () => process.stdin.pause(),
      resume: () => process.stdin.resume(),
      permit: () => this.#rate.take(performance.now()),
      later: (callback, delayMs) => this.#later(callback, delayMs),
    });
    this.#socket.on('open', () => this.#open());
    this.#socket.on('message', (data: Buffer) => this.#receive(data.toString('utf8')));
    this.#socket.on('error', (error) =>
      end.failed(`cannot talk to ${options.url}: ${messageOf(error)}. Is it up? ./rungrid status tells.`),
    );
    this.#socket.on('close', (code, reason) =>
      end.failed(`the gateway closed the connection (${code} ${String(reason)}) before the program ended`),
    );
  }

  /** Lets go of the terminal, the socket and the timers. */
  detach(): void {
    for (const detach of this.#detachers) detach();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#socket.removeAllListeners('close');
    this.#socket.on('error', () => undefined);
    this.#socket.close();
    process.stdin.pause();
  }

  #open(): void {
    const { code, language, token, args, files, tty } = this.#options;
    this.#send('run_code', {
      code,
      language,
      token,
      ...(args.length > 0 ? { args } : {}),
      ...(files.length > 0 ? { files } : {}),
      ...(tty ? { tty: terminalSize() } : {}),
    });
    if (tty) this.#takeTerminal();
    this.#on(process.stdin, 'data', (bytes: Buffer) => this.#feed.data(bytes));
    this.#on(process.stdin, 'end', () => this.#feed.end());
    this.#on(process.stdin, 'error', () => this.#feed.end());
    this.#on(process, 'SIGINT', () => this.#interrupt());
    this.#on(process, 'SIGTERM', () => this.#stop());
    this.#on(process, 'SIGHUP', () => this.#stop());
    this.#on(process.stdout, 'error', () => this.#readerGone());
  }

  /** Every key goes to the program, whose own terminal echoes it, edits lines and makes signals of Ctrl-C. Given back in detach(). */
  #takeTerminal(): void {
    process.stdin.setRawMode(true);
    this.#detachers.push(() => process.stdin.setRawMode(false));
    this.#on(process.stdout, 'resize', () => this.#send('resize', terminalSize()));
  }

  #on(emitter: NodeJS.EventEmitter, event: string, listener: (...args: never[]) => void): void {
    const any = listener as (...args: unknown[]) => void;
    emitter.on(event, any);
    this.#detachers.push(() => emitter.off(event, any));
  }

  #later(callback: () => void, delayMs: number): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      callback();
    }, delayMs);
    this.#timers.add(timer);
  }

  #interrupt(): void {
    this.#interrupts++;
    if (this.#interrupts > 1) return this.#stop();
    const name: SignalName = 'SIGINT';
    this.#send('signal', { name });
  }

  #stop(): void {
    this.#send('stop', {});
    this.#later(() => this.#end.failed('the program was stopped, but its end was not confirmed'), STOP_TIMEOUT_MS);
  }

  #receive(text: string): void {
    const frame = JSON.parse(text) as ServerFrame;
    switch (frame.event) {
      case 'stdout':
        this.#write(process.stdout, frame.data.text);
        break;
      case 'stderr':
      case 'compile':
        this.#write(process.stderr, frame.data.text);
        break;
      case 'pong':
        this.#feed.confirmed();
        break;
      case 'exit': {
        const why = this.#unread ? undefined : explain(frame.data);
        if (why !== undefined) process.stderr.write(`rungrid: ${why}\n`);
        this.#end.done(this.#unread ? EXIT_UNREAD : exitCodeOf(frame.data));
        break;
      }
      case 'error':
        if (frame.data.code === 'stdin_full') this.#feed.refuse();
        else this.#end.failed(`${frame.data.code}: ${frame.data.message}`);
        break;
      case 'hello': {
        const perSecond = frame.data.limits.frames_per_second * STDIN_SHARE;
        this.#rate = new TokenBucket({ capacity: perSecond, perSecond }, performance.now());
        break;
      }
      case 'queued':
      case 'started':
      case 'resumed':
      case 'draining':
        break;
    }
  }

  /** The reader of our output went away (`| head`): so does the program, and there is nothing to say about it. */
  #readerGone(): void {
    if (this.#unread) return;
    this.#unread = true;
    this.#socket.resume();
    this.#stop();
  }

  /** A slow reader of our output slows the socket, and so the program. */
  #write(stream: NodeJS.WriteStream, text: string): void {
    if (this.#unread || stream.write(text)) return;
    this.#socket.pause();
    stream.once('drain', () => this.#socket.resume());
  }

  #send(event: string, data: unknown): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify({ event, data }));
  }
}

/** Of this process's terminal, within what the protocol takes. */
function terminalSize(): { cols: number; rows: number } {
  const within = (value: number): number => Math.max(1, Math.min(1000, value));
  return { cols: within(process.stdout.columns), rows: within(process.stdout.rows) };
}
