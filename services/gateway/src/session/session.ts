// One socket's conversation: frames in, events out, runs by name. Knows no socket library.
import { TokenBucket } from '@rungrid/kit/token-bucket';
import type { CloseName } from '@rungrid/proto/close-codes';
import { parseClientFrame } from '@rungrid/proto/codec';
import { type ErrorCode, ERRORS } from '@rungrid/proto/errors';
import { type ClientFrame, encodeServerFrame, type Resume, type RunCode } from '@rungrid/proto/frames';
import type { InputResult, RunHandle, RunListener, RunOutput } from '../routing/types.js';
import { Outbox } from './outbox.js';
import { RunNames, UNNAMED } from './run-names.js';
import type { Client, SessionDeps, SessionSocket } from './types.js';

/** Refused tokens in a row that end the socket with 4401. */
const MAX_REFUSED_TOKENS = 5;
/** When to retry while the queue cannot be reached, ms: the gateway checks every second. */
const UNAVAILABLE_RETRY_MS = 2000;
const TOKEN_REFUSALS: ReadonlySet<ErrorCode> = new Set([
  'token_invalid',
  'token_expired',
  'token_replayed',
  'token_scope',
]);

type RunFrame = Exclude<ClientFrame, { event: 'run_code' | 'resume' | 'ping' }>;
interface LiveRun {
  handle: RunHandle | undefined;
}

export class Session {
  readonly client: Client;
  readonly #deps: SessionDeps;
  readonly #socket: SessionSocket;
  readonly #outbox: Outbox;
  readonly #frameRate: TokenBucket;
  readonly #runs = new RunNames<LiveRun>();
  readonly #bornMs = performance.now();
  #lastFrameMs: number | undefined;
  #refusedTokens = 0;
  #closed = false;

  constructor(options: { client: Client; socket: SessionSocket; deps: SessionDeps }) {
    this.client = options.client;
    this.#deps = options.deps;
    this.#socket = options.socket;
    const { framesPerSecond, outboxBytes } = options.deps.settings;
    this.#frameRate = new TokenBucket({ capacity: framesPerSecond, perSecond: framesPerSecond }, this.#bornMs);
    this.#outbox = new Outbox({
      socket: options.socket,
      maxBytes: outboxBytes,
      onCongested: () => this.#pauseRuns(),
      onRelieved: () => this.#resumeRuns(),
      onOverflow: () => this.close('slowClient'),
    });
    this.#outbox.send(options.deps.hello());
  }

  get runs(): number {
    return this.#runs.size;
  }

  /** Whether nothing is lost when the socket closes and its client resumes elsewhere. */
  get movable(): boolean {
    return [...this.#runs.values()].every((run) => run.handle?.movable === true);
  }

  /** A text frame, valid UTF-8 and within the size limit. */
  text(text: string): void {
    const nowMs = performance.now();
    if (!this.#countFrame(nowMs)) return;
    this.#lastFrameMs = nowMs;
    const parsed = parseClientFrame(text);
    if ('frame' in parsed) {
      this.#frame(parsed.frame);
      this.#deps.metrics.frame(parsed.frame.event);
      return;
    }
    this.#deps.metrics.frame('invalid');
    if ('close' in parsed) this.close(parsed.close);
    else this.#error(parsed.error, { message: parsed.message, name: parsed.run });
  }

  /** A WebSocket ping or pong: the socket layer answers it. It counts for the rate, and not as a sign of use. */
  control(): void {
    if (this.#countFrame(performance.now())) this.#deps.metrics.frame('control');
  }

  /** The socket has sent some of what waited. */
  drained(): void {
    if (!this.#closed) this.#outbox.drained();
  }

  /** Checks the deadlines; called about once a second. */
  tick(): void {
    if (this.#closed) return;
    const { firstFrameMs, idleMs, slowClientMs } = this.#deps.settings;
    const nowMs = performance.now();
    if (this.#outbox.behindMs() > slowClientMs) this.close('slowClient');
    else if (this.#lastFrameMs === undefined && nowMs - this.#bornMs > firstFrameMs) this.close('firstFrame');
    else if (this.#runs.size === 0 && nowMs - (this.#lastFrameMs ?? this.#bornMs) > idleMs) this.close('idle');
  }

  /** Announces that the gateway shuts down. */
  drain(reconnectAfterMs: number): void {
    if (!this.#closed) this.#outbox.send(encodeServerFrame('draining', { reconnect_after_ms: reconnectAfterMs }));
  }

  /** Ends the socket and kills its runs, except those that can be resumed: kept ones, and all started ones when the gateway shuts down. */
  close(name: CloseName): void {
    if (this.#closed) return;
    this.#deps.metrics.closing(name);
    // Before the socket closes: a run that has not started cannot be resumed, and its client gets its end.
    if (name === 'restart') for (const run of this.#runs.values()) run.handle?.leave();
    this.disconnected();
    this.#socket.close(name);
  }

  /** The socket has closed, from either side. */
  disconnected(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const run of this.#runs.values()) run.handle?.abandon();
  }

  #countFrame(nowMs: number): boolean {
    if (this.#closed) return false;
    if (this.#frameRate.take(nowMs) === 0) return true;
    this.close('rate');
    return false;
  }

  #frame(frame: ClientFrame): void {
    if (frame.event === 'run_code') this.#runCode(frame.data);
    else if (frame.event === 'resume') this.#resume(frame.data);
    else if (frame.event === 'ping') this.#outbox.send(encodeServerFrame('pong', frame.data));
    else this.#runFrame(frame);
  }

  #runCode(data: RunCode): void {
    const name = data.run ?? UNNAMED;
    if (typeof this.#runs.find(name) === 'object') return this.#error('run_in_progress', { name: data.run });
    if (this.#runs.size >= this.#deps.settings.runsPerSocket) return this.#error('too_many_runs', { name: data.run });
    if (this.#deps.draining()) return this.#error('draining', { name: data.run });
    if (!this.#deps.available())
      return this.#error('unavailable', { name: data.run, retryAfterMs: UNAVAILABLE_RETRY_MS });
    const admission = this.#deps.admit(data, this.client);
    if (!admission.ok) {
      this.#error(admission.code, { message: admission.message, name: data.run, retryAfterMs: admission.retryAfterMs });
      return this.#countToken(admission.code);
    }
    const run: LiveRun = { handle: undefined };
    this.#runs.add(name, run);
    run.handle = this.#deps.submit(admission.spec, this.#listener(name));
    if (this.#outbox.congested) run.handle.pause();
  }

  #resume(data: Resume): void {
    const name = data.run ?? UNNAMED;
    if (typeof this.#runs.find(name) === 'object') return this.#error('run_in_progress', { name: data.run });
    if (this.#runs.size >= this.#deps.settings.runsPerSocket) return this.#error('too_many_runs', { name: data.run });
    if (this.#deps.draining()) return this.#error('draining', { name: data.run });
    const run: LiveRun = { handle: undefined };
    this.#runs.add(name, run);
    run.handle = this.#deps.resume({ key: data.key, after: data.after }, this.#listener(name));
    if (this.#outbox.congested) run.handle.pause();
  }

  #runFrame(frame: RunFrame): void {
    const { run: given } = frame.data;
    const run = this.#runs.find(given ?? UNNAMED);
    if (run === 'unknown') return this.#error('no_such_run', { name: given });
    if (run === 'ended' || run.handle === undefined) return;
    const result = applyInput(run.handle, frame);
    if (result === 'full') this.#error('stdin_full', { name: given });
  }

  #listener(name: string): RunListener {
    const named = name === UNNAMED ? {} : { run: name };
    return {
      queued: (position) => {
        this.#refusedTokens = 0;
        this.#outbox.send(encodeServerFrame('queued', { ...named, position }));
      },
      resumed: ({ replayedFrom, stdinBytes }) => {
        this.#outbox.send(
          encodeServerFrame('resumed', { ...named, replayed_from: replayedFrom, stdin_bytes: stdinBytes }),
        );
      },
      output: (output) => this.#output(output, named),
      ended: (end) => {
        this.#runs.end(name);
        if (end.kind === 'error') {
          const { message, retryAfterMs, replayFrom } = end;
          this.#error(end.code, { message, name: named.run, retryAfterMs, replayFrom });
          return this.#countToken(end.code);
        }
        const { kind: _, ...data } = end;
        this.#outbox.send(encodeServerFrame('exit', { ...named, ...data }));
      },
    };
  }

  #output(output: RunOutput, named: { run?: string }): void {
    if (output.kind === 'started') {
      const { kind, ...data } = output;
      this.#outbox.send(encodeServerFrame(kind, { ...named, ...data }));
    } else {
      this.#outbox.send(encodeServerFrame(output.kind, { text: output.text, ...named, seq: output.seq }));
    }
  }

  #error(
    code: ErrorCode,
    options: {
      message?: string;
      name?: string | undefined;
      retryAfterMs?: number | undefined;
      replayFrom?: number | undefined;
    },
  ): void {
    this.#deps.metrics.refused(code);
    this.#outbox.send(
      encodeServerFrame('error', {
        ...(options.name === undefined ? {} : { run: options.name }),
        code,
        message: options.message ?? ERRORS[code].meaning,
        retryable: ERRORS[code].retryable,
        ...(options.retryAfterMs === undefined ? {} : { retry_after_ms: options.retryAfterMs }),
        ...(options.replayFrom === undefined ? {} : { replay_from: options.replayFrom }),
      }),
    );
  }

  #countToken(code: ErrorCode): void {
    if (!TOKEN_REFUSALS.has(code)) return;
    this.#refusedTokens += 1;
    if (this.#refusedTokens >= MAX_REFUSED_TOKENS) this.close('unauthorized');
  }

  #pauseRuns(): void {
    this.#deps.metrics.congested();
    for (const run of this.#runs.values()) run.handle?.pause();
  }

  #resumeRuns(): void {
    for (const run of this.#runs.values()) run.handle?.resume();
  }
}

function applyInput(handle: RunHandle, frame: RunFrame): InputResult {
  switch (frame.event) {
    case 'stdin':
      return handle.stdin(frame.data.text);
    case 'stdin_close':
      return handle.stdinClose();
    case 'signal':
      return handle.signal(frame.data.name);
    case 'resize':
      return handle.resize(frame.data);
    case 'stop':
      return handle.stop();
  }
}
