// What routing needs from others, and what it provides: the run's spec, its listener, the worker stream, the registry.
import type { ErrorCode } from '@rungrid/proto/errors';
import type { UsageData } from '@rungrid/proto/frames';
import type { EndReason, SignalName } from '@rungrid/proto/limits';

/** A run that admission let through. */
export interface RunSpec {
  readonly runId: string;
  /** The secret that attaches to the run at its worker. */
  readonly key: string;
  readonly language: string;
  /** The run request as JSON, encoded once: what the queue stores and the worker parses. */
  readonly request: string;
  /** Whether a run that has started outlives its client, for the resume window. */
  readonly keep: boolean;
  /** Whether the request brings all of stdin; then the client sends none. */
  readonly stdinGiven: boolean;
  /** Identifies the spent token, and how long it is remembered. */
  readonly nonceKey: string;
  readonly nonceTtlMs: number;
  /** Hash of the client's address. */
  readonly addressHash: string;
  /** Hash of the page's origin; empty: there is none. */
  readonly siteHash: string;
  /** Wall-clock limit of this run. */
  readonly wallMs: number;
}

/** What a client shows to resume a run. */
export interface ResumeRequest {
  /** `started.resume_key`: the run's id, its secret and the epoch of its claim, with dots between. */
  readonly key: string;
  /** The last seq that the client has. */
  readonly after: number;
}

export interface RunExit {
  readonly kind: 'exit';
  readonly code: number | null;
  readonly signal: string | null;
  readonly reason: EndReason;
  readonly usage: UsageData;
  readonly truncated: boolean;
  readonly seq: number;
}

export interface RunError {
  readonly kind: 'error';
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs?: number;
  /** Of resume_gap: seq of the first event that the worker still holds. */
  readonly replayFrom?: number;
}

/** How a run ends, for its client. */
export type RunEnd = RunExit | RunError;

interface Started {
  readonly kind: 'started';
  readonly language: string;
  readonly version: string;
  readonly warm: boolean;
  readonly seq: number;
}

interface Text {
  readonly kind: 'compile' | 'stdout' | 'stderr';
  readonly text: string;
  readonly seq: number;
}

/** What a client gets between `queued` or `resumed` and the end. */
export type RunOutput = (Started & { readonly resume_key: string }) | Text;

/** What a resume finds at the worker. */
export interface ResumePoint {
  readonly kind: 'attached';
  /** seq of the first event that follows; above the client's seq + 1 when the events between are no longer held. */
  readonly replayFrom: number;
  /** Bytes of stdin that the run has received from clients. */
  readonly stdinReceived: number;
  /** Those of them that the program has not read yet. */
  readonly stdinUnread: number;
  /** Remaining wall-clock time. */
  readonly wallLeftMs: number;
  readonly language: string;
}

/** What a worker sends about a run. */
export type WorkerEvent =
  | ResumePoint
  | { readonly kind: 'stdin_consumed'; readonly bytes: number }
  | Started
  | Text
  | RunExit
  | (RunError & { readonly seq: number });

/** What a gateway sends to a run's worker. */
export type WorkerInput =
  | {
      readonly kind: 'attach';
      readonly runId: string;
      readonly key: string;
      readonly epoch: number;
      readonly afterSeq: number;
      readonly resume: boolean;
    }
  | { readonly kind: 'stdin'; readonly text: string }
  | { readonly kind: 'stdin_close' }
  | { readonly kind: 'signal'; readonly name: SignalName }
  | { readonly kind: 'resize'; readonly cols: number; readonly rows: number }
  | { readonly kind: 'stop'; readonly disconnected: boolean }
  | { readonly kind: 'leave' };

/** Receives one run: `queued` or `resumed` at most once and first, `ended` exactly once and last (and never after `abandon` or `leave`). */
export interface RunListener {
  queued(position: number): void;
  /** Events from `replayedFrom` on follow; the run has received `stdinBytes` of stdin so far. */
  resumed(found: { readonly replayedFrom: number; readonly stdinBytes: number }): void;
  output(output: RunOutput): void;
  ended(end: RunEnd): void;
}

/** What a session may do with a run. */
export interface RunHandle {
  readonly id: string;
  /** Whether its client may disconnect and resume it: it has started, and is kept. */
  readonly movable: boolean;
  /** `full`: the text was dropped whole. `ignored`: stdin is closed, or the run has ended. */
  stdin(text: string): InputResult;
  stdinClose(): InputResult;
  signal(name: SignalName): InputResult;
  resize(size: { cols: number; rows: number }): InputResult;
  stop(): InputResult;
  /** Stops and starts reading the worker's stream: the worker's program blocks meanwhile. */
  pause(): void;
  resume(): void;
  /** The client disconnected: the run is killed, or left to be resumed if it asked for that and has started. Its listener is not called again. */
  abandon(): void;
  /** The gateway shuts down: a run that has started is left to be resumed, whatever it asked for; any other ends as `draining`. */
  leave(): void;
}
export type InputResult = 'ok' | 'full' | 'ignored';

/**
 * Why a worker's stream ended without a terminal event:
 * - not_found: the worker does not know the run, or not any more
 * - out_of_range: the worker no longer holds the events that were missed
 * - denied: the key is wrong
 * - refused: the worker does not accept this gateway
 * - taken_over: another gateway has the run
 * - handed_back: the worker shuts down, and has not started it
 * - lost: everything else
 */
export interface StreamFault {
  readonly kind: 'not_found' | 'out_of_range' | 'denied' | 'refused' | 'taken_over' | 'handed_back' | 'lost';
  readonly message: string;
}

export interface RunStreamHandlers {
  event(event: WorkerEvent): void;
  /** Once, last. undefined: the worker ended the stream in order. */
  end(fault: StreamFault | undefined): void;
}

/** One run's stream to its worker. */
export interface RunStream {
  send(input: WorkerInput): void;
  pause(): void;
  resume(): void;
  /** The terminal event has come: lets the worker end the stream. No handler is called afterwards. */
  finish(): void;
  /** Ends the stream at once, which kills a run that still lives. No handler is called afterwards. */
  cancel(): void;
}
/** Opens a stream; never throws: a fault comes through `end`. */
export type OpenStream = (address: string, handlers: RunStreamHandlers) => RunStream;
/** Takes the stream on which a worker has put a run; its events come from then on. To be called once, in the turn in which it came. */
export type TakeStream = (handlers: RunStreamHandlers) => RunStream;

/** A worker has claimed a run. */
export type ClaimNotice = {
  readonly run: string;
  readonly epoch: number;
  /** For the log: the worker's id, or its address. */
  readonly worker: string;
} /** On the gateway's reply stream: where to attach. */ & (
  | { readonly address: string }
  /** On a stream that was opened ahead; its first message may bring an event. */
  | { readonly take: TakeStream; readonly first: WorkerEvent | undefined }
);

export type SubmitOutcome =
  | { readonly outcome: 'ok'; readonly position: number }
  | { readonly outcome: 'replayed' }
  | { readonly outcome: 'rate' | 'full' | 'share'; readonly retryAfterMs: number };

/** The claim by which a worker holds a run. */
export interface Held {
  readonly epoch: number;
  readonly worker: string;
  readonly address: string;
}

/** The registry's verbs that routing uses. */
export interface Registry {
  submit(spec: RunSpec): Promise<SubmitOutcome>;
  /**
   * Queues a run again that Redis may have forgotten, or whose claim of `epoch` (0: none) was lost. Undefined: it is in the queue, once,
   * or was cancelled; otherwise the later claim that holds it.
   */
  requeue(spec: RunSpec, epoch: number): Promise<Held | undefined>;
  /** The claim that holds a run; undefined: none that Redis knows. */
  find(runId: string): Promise<Held | undefined>;
  /** Keeps a note of a run that is not tried again, for an operator. */
  deadLetter(runId: string, language: string): Promise<void>;
  /** Whether the run was still queued, and is cancelled now. */
  cancel(runId: string, language: string): Promise<boolean>;
}

/** Stages that routing times, in seconds. */
export type RoutingStage = 'submit' | 'claim' | 'attach' | 'start' | 'first_output' | 'echo';

export interface RoutingMetrics {
  stage(stage: RoutingStage, seconds: number): void;
  /** `outcome`: an end reason, or an error code. */
  ended(language: string, outcome: string): void;
  /** A claim for a run that has ended, or is attached already. */
  orphanedClaim(): void;
  /** A run is queued again. */
  requeued(why: 'worker_lost' | 'handed_back'): void;
  /** A client resumed a run: `resumed`, or an error code. */
  resume(outcome: 'resumed' | ErrorCode): void;
  /** A worker broke the stream's rules. */
  streamViolation(): void;
}

export interface RoutingSettings {
  readonly queueTtlMs: number;
  readonly startMs: number;
}
