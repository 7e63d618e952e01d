// One run's time on a worker: its events in order, its input within the window, and the deadlines of its start, its wall clock and a stop.
import { Buffer } from 'node:buffer';
import type { Logger } from '@rungrid/kit/logger';
import { STDIN_WINDOW_BYTES } from '@rungrid/proto/limits';
import { errorEnd } from './ends.js';
import type {
  InputResult,
  ResumePoint,
  RoutingMetrics,
  RunEnd,
  RunOutput,
  RunStream,
  RunStreamHandlers,
  StreamFault,
  WorkerEvent,
  WorkerInput,
} from './types.js';

/** How long after its wall-clock limit the worker's verdict may take, ms. */
const WALL_GRACE_MS = 3000;
/** How long a worker may take to end a run that was stopped, ms. */
const STOP_WAIT_MS = 5000;

/** What its run is called with: any number of outputs, then one of `ended` and `lost`, or nothing after leave() and drop(). */
export interface AttachmentListener {
  output(output: RunOutput): void;
  ended(end: RunEnd): void;
  /** The stream ended before the run did; undefined: the worker ended it in order. */
  lost(fault: StreamFault | undefined): void;
  /** What a resume found, first of all. With a hole in the events the stream ends next. */
  attached(point: ResumePoint): void;
}

export interface AttachmentOptions {
  readonly id: string;
  /** What lets the client resume it. */
  readonly resumeKey: string;
  /** The last event that the client has. */
  readonly seq: number;
  /** How long it may take to start, or until the worker answers a resume, ms. */
  readonly startMs: number;
  readonly wallMs: number;
  /** When the click arrived, on performance.now()'s clock; undefined: a resumed run, whose start is not timed. */
  readonly bornMs: number | undefined;
  readonly listener: AttachmentListener;
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
  #started = false;
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
  }

  /** The last event that came. */
  get seq(): number {
    return this.#seq;
  }
  /** Whether the program runs: it has all input that was sent. */
  get started(): boolean {
    return this.#started;
  }

  /** Its stream, which was opened with `handlers`. To be called once, in the turn in which the stream was opened. */
  carry(stream: RunStream): void {
    this.#stream = stream;
    this.#arm(this.#options.startMs);
  }

  stdin(text: string): InputResult {
    if (this.#unreadStdin + Buffer.byteLength(text) > STDIN_WINDOW_BYTES) return 'full';
    if (this.#typedMs === 0) this.#typedMs = performance.now();
    this.send({ kind: 'stdin', text });
    return 'ok';
  }

  send(input: WorkerInput): void {
    if (input.kind === 'stdin') this.#unreadStdin += Buffer.byteLength(input.text);
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

  /** Kills it now. `disconnected`: because the client has. */
  stop(disconnected: boolean): void {
    this.#stopping = true;
    this.#stream?.send({ kind: 'stop', disconnected });
    this.#arm(STOP_WAIT_MS);
  }

  /** Leaves the run to its worker, which keeps it for a client that resumes it. */
  leave(): void {
    if (!this.#close()) return;
    this.#stream?.send({ kind: 'leave' });
    this.#stream?.finish();
  }

  /** Ends the stream at once, which kills a run that is not kept. */
  drop(): void {
    if (this.#close()) this.#stream?.cancel();
  }

  #event(event: WorkerEvent): void {
    if (this.#over) return;
    if (event.kind === 'attached') return this.#attached(event);
    if (event.kind === 'stdin_consumed') {
      this.#unreadStdin = Math.max(0, this.#unreadStdin - event.bytes);
      return;
    }
    if (event.seq !== this.#seq + 1) return this.#outOfOrder(event.seq);
    // The worker shuts down and hands the run back: another one may take it.
    if (event.kind === 'error' && event.code === 'worker_lost' && !this.#started) {
      return this.#lost({ kind: 'handed_back', message: event.message });
    }
    if (this.#seq === 0) this.#stage('attach', this.#atMs);
    this.#seq = event.seq;
    if (event.kind === 'exit' || event.kind === 'error') return this.#end(event);
    if (event.kind === 'started') this.#onStarted();
    const { resumeKey, listener } = this.#options;
    listener.output(event.kind === 'started' ? { ...event, resume_key: resumeKey } : event);
    if (event.kind === 'stdout' || event.kind === 'stderr') this.#timeOutput();
  }

  #attached(point: ResumePoint): void {
    this.#unreadStdin += point.stdinUnread;
    this.#started = point.replayFrom <= this.#seq + 1;
    if (!this.#stopping) this.#arm(point.wallLeftMs + WALL_GRACE_MS);
    this.#options.listener.attached(point);
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

  /** A repeat is dropped. A hole ends the run: output is never lost silently. */
  #outOfOrder(seq: number): void {
    const { id, logger, metrics } = this.#options;
    metrics.streamViolation();
    logger.warn({ run: id, seq, last: this.#seq }, 'worker event out of order');
    if (seq > this.#seq) this.#end(errorEnd('worker_lost', 'a part of the output was lost'), 'cancel');
  }

  #streamEnded(fault: StreamFault | undefined): void {
    if (this.#over) return;
    const { id, logger } = this.#options;
    logger.warn(
      { run: id, fault: fault?.kind ?? 'none', detail: fault?.message, started: this.#started },
      'worker stream ended before the run',
    );
    this.#lost(fault);
  }

  #lost(fault: StreamFault | undefined): void {
    if (!this.#close()) return;
    this.#stream?.cancel();
    this.#options.listener.lost(fault);
  }

  #overdue(): void {
    // The client does not read, so the verdict may wait in the stream. The session bounds that time.
    if (this.#paused) return this.#arm(WALL_GRACE_MS);
    this.#options.logger.warn({ run: this.#options.id, started: this.#started }, 'run deadline passed');
    this.#end(errorEnd(this.#started || this.#stopping ? 'worker_lost' : 'start_failed'), 'cancel');
  }

  /** `cancel`: the worker has not ended the run, as far as is known. */
  #end(end: RunEnd, how: 'finish' | 'cancel' = 'finish'): void {
    if (!this.#close()) return;
    this.#stream?.[how]();
    this.#options.listener.ended(end);
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
