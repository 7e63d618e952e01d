// One run as its client has it: input in, output out, and exactly one end. How it gets to a worker is its entry's: fresh-run.ts, resumed-run.ts.
import type { Logger } from '@rungrid/kit/logger';
import type { SignalName } from '@rungrid/proto/limits';
import { Attachment, type AttachmentOptions } from './attachment.js';
import { InputQueue } from './input-queue.js';
import type {
  InputResult,
  OpenStream,
  Registry,
  ResumePoint,
  RoutingMetrics,
  RoutingSettings,
  RunEnd,
  RunHandle,
  RunListener,
  RunOutput,
  RunStream,
  RunStreamHandlers,
  StreamFault,
  WorkerInput,
} from './types.js';

export interface RunDeps {
  readonly registry: Registry;
  readonly openStream: OpenStream;
  readonly metrics: RoutingMetrics;
  readonly settings: RoutingSettings;
  readonly logger: Logger;
}

export interface RunOptions {
  readonly id: string;
  readonly listener: RunListener;
  readonly deps: RunDeps;
  /** Whether all of stdin is known already. */
  readonly stdinClosed: boolean;
}

export abstract class Run implements RunHandle {
  readonly id: string;
  protected readonly deps: RunDeps;
  /** undefined: its client has disconnected. */
  protected listener: RunListener | undefined;
  /** Its time on a worker; undefined while no worker has it. */
  protected attachment: Attachment | undefined;
  protected stopRequested = false;
  protected over = false;
  /** What was sent before the start. */
  readonly #inputs = new InputQueue();
  #stdinClosed: boolean;
  #paused = false;

  constructor(options: RunOptions) {
    this.id = options.id;
    this.deps = options.deps;
    this.listener = options.listener;
    this.#stdinClosed = options.stdinClosed;
  }

  abstract readonly movable: boolean;
  abstract abandon(): void;
  abstract leave(): void;

  /** The client stopped it while no worker had it. */
  protected abstract stopUnattached(): void;
  /** A resume has found it at its worker. */
  protected abstract resumed(point: ResumePoint): void;
  /** The worker has ended it. */
  protected abstract ended(end: RunEnd): void;
  /** Its stream ended before it did. */
  protected abstract lost(fault: StreamFault | undefined): void;
  /** It is over: what the entry holds is released, and the outcome counted. */
  protected abstract closed(outcome: string): void;

  stdin(text: string): InputResult {
    if (this.over || this.#stdinClosed || this.stopRequested) return 'ignored';
    if (text === '') return 'ok';
    if (this.attachment?.started !== true && !this.#inputs.push({ kind: 'stdin', text })) return 'full';
    return this.attachment?.stdin(text) ?? 'ok';
  }

  stdinClose(): InputResult {
    if (this.#stdinClosed) return 'ignored';
    const result = this.#control({ kind: 'stdin_close' });
    if (result === 'ok') this.#stdinClosed = true;
    return result;
  }

  signal(name: SignalName): InputResult {
    return this.#control({ kind: 'signal', name });
  }

  resize({ cols, rows }: { cols: number; rows: number }): InputResult {
    return this.#control({ kind: 'resize', cols, rows });
  }

  stop(): InputResult {
    if (this.over || this.stopRequested) return 'ignored';
    this.stopRequested = true;
    if (this.attachment === undefined) this.stopUnattached();
    else this.attachment.stop(false);
    return 'ok';
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.attachment?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.attachment?.resume();
  }

  /** A worker has it: `open` gives the stream, and what was sent so far goes first. */
  protected attach(
    options: Omit<AttachmentOptions, 'id' | 'listener' | 'metrics' | 'logger'>,
    open: (handlers: RunStreamHandlers) => RunStream,
  ): Attachment {
    const { metrics, logger } = this.deps;
    const listener = {
      output: (output: RunOutput) => this.#output(output),
      ended: (end: RunEnd) => this.ended(end),
      lost: (fault: StreamFault | undefined) => this.lost(fault),
      attached: (point: ResumePoint) => this.#attached(point),
    };
    const attachment = new Attachment({ ...options, id: this.id, listener, metrics, logger });
    const stream = open(attachment.handlers);
    this.attachment = attachment;
    attachment.carry(stream);
    for (const input of this.#inputs.all()) attachment.send(input);
    if (this.#paused) attachment.pause();
    if (this.listener === undefined || this.stopRequested) attachment.stop(this.listener === undefined);
    return attachment;
  }

  /** Leaves it to its worker, for a client that resumes it. */
  protected leaveToWorker(): void {
    this.listener = undefined;
    this.attachment?.leave();
    this.end(undefined);
  }

  /** The only way out: one terminal event, the worker released. undefined: the run goes on without this gateway. */
  protected end(end: RunEnd | undefined): void {
    if (this.over) return;
    this.over = true;
    this.#inputs.clear();
    this.attachment?.drop();
    const outcome = end === undefined ? 'left' : end.kind === 'exit' ? end.reason : end.code;
    this.deps.logger.debug({ run: this.id, outcome }, 'run ended');
    this.closed(outcome);
    if (end !== undefined) this.listener?.ended(end);
    this.listener = undefined;
  }

  protected warn(event: string, error: unknown): void {
    this.deps.logger.warn({ run: this.id, err: error instanceof Error ? error.message : 'unknown' }, event);
  }

  #control(input: WorkerInput): InputResult {
    if (this.over || this.stopRequested) return 'ignored';
    if (this.attachment?.started !== true && !this.#inputs.push(input)) return 'full';
    this.attachment?.send(input);
    return 'ok';
  }

  #output(output: RunOutput): void {
    if (output.kind === 'started') this.#inputs.clear();
    this.listener?.output(output);
  }

  #attached(point: ResumePoint): void {
    if (this.attachment?.started === true) this.#inputs.clear();
    this.resumed(point);
  }
}
