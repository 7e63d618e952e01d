// A run that a client came back for: found in the registry, attached to where its worker holds it, and then like any other.
import type { Logger } from '@rungrid/kit/logger';
import type { RunEvent } from '@rungrid/proto/gen/rungrid/v1/runner';
import type { SignalName } from '@rungrid/proto/limits';
import { Attachment } from './attachment.js';
import { type Input, InputQueue } from './input-queue.js';
import { errorEnd } from './run-events.js';
import type {
  Held,
  InputResult,
  OpenStream,
  Registry,
  RoutingMetrics,
  RunEnd,
  RunHandle,
  RunListener,
  StreamFault,
} from './types.js';

/** How long a worker may take to say what it holds, ms. */
const ATTACH_MS = 5000;

/** What a client that comes back shows. */
export interface ResumeAsk {
  /** `started.resume_key`: the run's id, its secret and the epoch of its claim, with dots between. */
  readonly key: string;
  /** The last seq that it has. */
  readonly after: number;
}

export interface ResumeDeps {
  readonly registry: Registry;
  readonly openStream: OpenStream;
  readonly metrics: RoutingMetrics;
  readonly logger: Logger;
  readonly onEnded: (run: ResumedRun) => void;
}

export class ResumedRun implements RunHandle {
  readonly id: string;
  readonly #secret: string;
  readonly #epoch: number;
  readonly #after: number;
  readonly #deps: ResumeDeps;
  readonly #inputs = new InputQueue();
  #listener: RunListener | undefined;
  #to: Attachment | undefined;
  /** The first event that the worker holds, where that leaves a hole. */
  #replayFrom: number | undefined;
  /** The worker has said that the run goes on here. */
  #resumed = false;
  #language = 'unknown';
  #paused = false;
  #stopRequested = false;
  #over = false;

  constructor(ask: ResumeAsk, listener: RunListener, deps: ResumeDeps) {
    const [id, secret, epoch] = ask.key.split('.') as [string, string, string];
    this.id = id;
    this.#secret = secret;
    this.#epoch = Number(epoch);
    this.#after = ask.after;
    this.#listener = listener;
    this.#deps = deps;
    deps.registry.find(this.id).then(
      (held) => this.#found(held),
      (error: unknown) => this.#lookupFailed(error),
    );
  }

  get movable(): boolean {
    return this.#resumed;
  }

  stdin(text: string): InputResult {
    if (this.#over || this.#stopRequested) return 'ignored';
    if (text === '') return 'ok';
    if (this.#to !== undefined && this.#resumed) return this.#to.stdin(text);
    return this.#inputs.pushText(text) ? 'ok' : 'full';
  }

  stdinClose(): InputResult {
    return this.#input({ $case: 'stdinClose', value: {} });
  }

  signal(name: SignalName): InputResult {
    return this.#input({ $case: 'signal', value: { name } });
  }

  resize(size: { cols: number; rows: number }): InputResult {
    return this.#input({ $case: 'resize', value: size });
  }

  stop(): InputResult {
    if (this.#over || this.#stopRequested) return 'ignored';
    this.#stopRequested = true;
    if (this.#resumed) this.#to?.stop(false);
    return 'ok';
  }

  pause(): void {
    this.#paused = true;
    this.#to?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#to?.resume();
  }

  /** The client has gone again: the run waits for it as before. */
  abandon(): void {
    this.leave();
  }

  leave(): void {
    if (this.#over) return;
    this.#listener = undefined;
    this.#to?.leave();
    this.#end(errorEnd('draining'), 'left');
  }

  #found(held: Held | undefined): void {
    if (this.#over) return;
    if (held === undefined) return this.#refused('resume_failed');
    const { metrics, logger, openStream } = this.#deps;
    const to = new Attachment({
      id: this.id,
      resumeKey: '', // it has started, and its client has the key
      seq: this.#after,
      started: true,
      startMs: ATTACH_MS,
      wallMs: 0, // the worker says what is left of it
      bornMs: undefined,
      metrics,
      logger,
      heard: {
        output: (output) => this.#listener?.output(output),
        ended: (end) => (this.#resumed ? this.#end(end) : this.#refused('unavailable')),
        lost: (fault) => this.#lost(fault),
        attached: (point) => this.#attached(point),
      },
    });
    this.#to = to;
    // The registry says where. Which execution it is that the client has seen, its key says: another one is none of it.
    const stream = openStream(held.address, to.handlers);
    const attach = { runId: this.id, epoch: this.#epoch, key: this.#secret, afterSeq: this.#after, resume: true };
    stream.send({ $case: 'attach', value: attach });
    to.carry(stream);
    if (this.#paused) to.pause();
  }

  #attached(point: NonNullable<RunEvent['attached']>): void {
    // With a hole the stream ends next, and the answer comes with its end.
    if (point.replayFrom > this.#after + 1) {
      this.#replayFrom = point.replayFrom;
      return;
    }
    this.#resumed = true;
    this.#language = point.language;
    this.#deps.metrics.resume('resumed');
    this.#listener?.resumed({ replayedFrom: point.replayFrom, stdinBytes: point.stdinReceived });
    for (const input of this.#inputs.all()) this.#to?.send(input);
    this.#inputs.clear();
    if (this.#stopRequested) this.#to?.stop(false);
  }

  #input(input: Input): InputResult {
    if (this.#over || this.#stopRequested) return 'ignored';
    if (this.#to === undefined || !this.#resumed) return this.#inputs.push(input) ? 'ok' : 'full';
    this.#to.send(input);
    return 'ok';
  }

  #lost(fault: StreamFault | undefined): void {
    if (fault?.kind === 'taken_over') this.#end(errorEnd('taken_over'));
    else if (this.#resumed) this.#end(errorEnd('worker_lost'));
    else if (fault?.kind === 'out_of_range') this.#refused('resume_gap');
    else this.#refused('resume_failed');
  }

  #lookupFailed(error: unknown): void {
    const err = error instanceof Error ? error.message : 'unknown';
    this.#deps.logger.warn({ run: this.id, err }, 'a run could not be looked up');
    this.#refused('unavailable');
  }

  #refused(code: 'resume_failed' | 'resume_gap' | 'unavailable'): void {
    this.#deps.metrics.resume(code);
    const from = this.#replayFrom;
    this.#end({ ...errorEnd(code), ...(from === undefined ? {} : { replayFrom: from }) });
  }

  #end(end: RunEnd, outcome: string = end.kind === 'exit' ? end.reason : end.code): void {
    if (this.#over) return;
    this.#over = true;
    this.#inputs.clear();
    this.#to?.drop();
    if (this.#resumed) this.#deps.metrics.ended(this.#language, outcome);
    this.#deps.onEnded(this);
    this.#listener?.ended(end);
    this.#listener = undefined;
  }
}
