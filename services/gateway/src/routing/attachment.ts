// One run's time on a worker: its events in order, its input within the window, and the deadlines of its start, its wall clock and a stop.
import { Buffer } from 'node:buffer';
import type { Logger } from '@rungrid/kit/logger';
import type { RunEvent } from '@rungrid/proto/gen/rungrid/v1/runner';
import { STDIN_WINDOW_BYTES } from '@rungrid/proto/limits';
import type { Input } from './input-queue.js';
import { errorEnd, exitEnd, outputOf, workerError } from './run-events.js';
import type {
  InputResult,
  RoutingMetrics,
  RunEnd,
  RunOutput,
  RunStream,
  RunStreamHandlers,
  StreamFault,
} from './types.js';

/** How long after its wall-clock limit the worker's verdict may take, ms. */
const WALL_GRACE_MS = 3000;
/** How long a worker may take to end a run that was stopped, ms. */
const STOP_WAIT_MS = 5000;

/** What its run hears: any number of outputs, then one of `ended` and `lost`, or nothing after leave() and drop(). */
export interface AttachmentHeard {
  output(output: RunOutput): void;
  ended(end: RunEnd): void;
  /** The stream ended before the run did; undefined: the worker ended it in order. */
  lost(fault: StreamFault | undefined): void;
  /** What the worker found for a client that came back. */
  attached?(point: NonNullable<RunEvent['attached']>): void;
}

export interface AttachmentOptions {
  readonly id: string;
  /** What lets the client come back for it. */
  readonly resumeKey: string;
  /** The last event that the client has. */
  readonly seq: number;
  readonly started: boolean;
  /** How long it may take to start, or until the worker tells what a resume finds, ms. */
  readonly startMs: number;
  readonly wallMs: number;
  /** When the click arrived, on performance.now()'s clock; undefined: a resumed run, whose start is not timed. */
  readonly bornMs: number | undefined;
  readonly heard: AttachmentHeard;
  readonly metrics: RoutingMetrics;
  readonly logger: Logger;
}

export class Attachment {
  readonly handlers: RunStreamHandlers = {
    event: (event) => this.#event(event),
    end: (fault) => this.#streamEnded(fault),
  };
  readonly #options: AttachmentOptions;
  readonly #atMs = performance.now();
  #stream: RunStream | undefined;
  #seq: number;
  #started: boolean;
  #stopping = false;
  #over = false;
  #paused = false;
  #unreadStdin = 0;
  #outputSeen = false;
  #typedMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: AttachmentOptions) {
    this.#options = options;
    this.#seq = options.seq;
    this.#started = options.started;
  }

  /** The last event that came. */
  get seq(): number {
    return this.#seq;
  }
  get started(): boolean {
    return this.#started;
  }

  /** Its stream, which was opened with `handlers`. To be called once, in the turn in which the stream was. */
  carry(stream: RunStream): void {
    this.#stream = stream;
    this.#arm(this.#options.startMs);
  }

  stdin(text: string): InputResult {
    const value = Buffer.from(text, 'utf8');
    if (this.#unreadStdin + value.length > STDIN_WINDOW_BYTES) return 'full';
    if (this.#typedMs === 0) this.#typedMs = performance.now();
    this.send({ $case: 'stdin', value });
    return 'ok';
  }

  send(input: Input): void {
    if (input.$case === 'stdin') this.#unreadStdin += input.value.length;
    this.#stream?.send(input);
  }

  pause(): void {
    this.#paused = true;
    this.#stream?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#stream?.resume();
  }

  /** Kill it now. `disconnected`: because the client has gone. */
  stop(disconnected: boolean): void {
    this.#stopping = true;
    this.#stream?.send({ $case: 'stop', value: { disconnected } });
    this.#arm(STOP_WAIT_MS);
  }

  /** Lets go of a run that the worker keeps for a client that comes back. */
  leave(): void {
    if (!this.#close()) return;
    this.#stream?.send({ $case: 'leave', value: {} });
    this.#stream?.finish();
  }

  /** Ends the stream at once, which kills a run that is not kept. */
  drop(): void {
    if (this.#close()) this.#stream?.cancel();
  }

  #event(event: RunEvent): void {
    if (this.#over) return;
    if (event.attached !== undefined) return this.#attached(event.attached);
    if (event.event === undefined) return;
    if (event.event.$case === 'stdinConsumed') {
      this.#unreadStdin = Math.max(0, this.#unreadStdin - event.event.value);
      return;
    }
    if (event.seq !== this.#seq + 1) return this.#outOfOrder(event.seq);
    const { event: body } = event;
    // The worker goes away and hands the run back: another one may take it.
    if (body.$case === 'error' && body.value.code === 'worker_lost' && !this.#started) {
      return this.#lost({ kind: 'handed_back', message: body.value.message });
    }
    if (this.#seq === 0) this.#stage('attach', this.#atMs);
    this.#seq = event.seq;
    if (body.$case === 'exit') return this.#end(exitEnd({ exit: body.value, seq: event.seq }));
    if (body.$case === 'error') return this.#end(workerError(body.value));
    if (body.$case === 'started') this.#onStarted();
    const { resumeKey, heard } = this.#options;
    heard.output(outputOf(body, { seq: event.seq, resumeKey }));
    if (body.$case === 'stdout' || body.$case === 'stderr') this.#timeOutput();
  }

  #attached(point: NonNullable<RunEvent['attached']>): void {
    this.#unreadStdin += point.stdinUnread;
    if (!this.#stopping) this.#arm(point.wallLeftMs + WALL_GRACE_MS + (this.#started ? 0 : this.#options.startMs));
    this.#options.heard.attached?.(point);
  }

  #onStarted(): void {
    if (this.#started) return;
    this.#started = true;
    const { bornMs, wallMs } = this.#options;
    if (bornMs !== undefined) this.#stage('start', bornMs);
    if (!this.#stopping) this.#arm(wallMs + WALL_GRACE_MS);
  }

  #timeOutput(): void {
    const { bornMs } = this.#options;
    if (!this.#outputSeen) {
      this.#outputSeen = true;
      if (bornMs !== undefined) this.#stage('first_output', bornMs);
    }
    if (this.#typedMs === 0) return;
    this.#stage('echo', this.#typedMs);
    this.#typedMs = 0;
  }

  #stage(stage: 'attach' | 'start' | 'first_output' | 'echo', sinceMs: number): void {
    this.#options.metrics.stage(stage, (performance.now() - sinceMs) / 1000);
  }

  /** A repeat is dropped; a hole ends the run, for it is never silent. */
  #outOfOrder(seq: number): void {
    const { id, logger, metrics } = this.#options;
    metrics.streamViolation();
    logger.warn({ run: id, seq, last: this.#seq }, 'event out of order');
    if (seq > this.#seq) this.#fail(errorEnd('worker_lost', 'a part of the output was lost'));
  }

  #streamEnded(fault: StreamFault | undefined): void {
    if (this.#over) return;
    const { id, logger } = this.#options;
    logger.warn(
      { run: id, fault: fault?.kind ?? 'none', detail: fault?.message, started: this.#started },
      'stream ended before the run',
    );
    this.#lost(fault);
  }

  #lost(fault: StreamFault | undefined): void {
    if (!this.#close()) return;
    this.#stream?.cancel();
    this.#options.heard.lost(fault);
  }

  #overdue(): void {
    // The client does not read, so the verdict may wait in the stream. The session bounds how long that goes on.
    if (this.#paused) return this.#arm(WALL_GRACE_MS);
    this.#options.logger.warn({ run: this.#options.id, started: this.#started }, 'run overdue');
    this.#fail(errorEnd(this.#started || this.#stopping ? 'worker_lost' : 'start_failed'));
  }

  #end(end: RunEnd): void {
    if (!this.#close()) return;
    this.#stream?.finish();
    this.#options.heard.ended(end);
  }

  #fail(end: RunEnd): void {
    if (!this.#close()) return;
    this.#stream?.cancel();
    this.#options.heard.ended(end);
  }

  /** false: it was over before. */
  #close(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#timer);
    return true;
  }

  #arm(delayMs: number): void {
    clearTimeout(this.#timer);
    if (!this.#over) this.#timer = setTimeout(() => this.#overdue(), delayMs);
  }
}
