// What routing needs from others, and what it offers: the run's spec, its listener, the worker stream, the registry.
import type { ErrorCode } from '@rungrid/proto/errors';
import type { UsageData } from '@rungrid/proto/frames';
import type { RunEvent, RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import type { EndReason, SignalName } from '@rungrid/proto/limits';
import type { RunRequest } from '@rungrid/proto/stream-entries';

/** A run that admission let through. */
export interface RunSpec {
  readonly request: RunRequest;
  /** Identifies the spent token, and how long it is remembered. */
  readonly nonceKey: string;
  readonly nonceTtlMs: number;
  /** Hash of the client's address. */
  readonly addressHash: string;
  /** Hash of the page's origin; empty: there is none. */
  readonly siteHash: string;
  /** Wall-clock limit that holds for this run. */
  readonly wallMs: number;
}

/** How a run ends, for its client. */
export type RunEnd =
  | {
      readonly kind: 'exit';
      readonly code: number | null;
      readonly signal: string | null;
      readonly reason: EndReason;
      readonly usage: UsageData;
      readonly truncated: boolean;
      readonly seq: number;
    }
  | {
      readonly kind: 'error';
      readonly code: ErrorCode;
      readonly message: string;
      readonly retryAfterMs?: number;
      /** Of resume_gap: seq of the first event that is held. */
      readonly replayFrom?: number;
    };

/** What a worker's stream brings between `queued` and the end. */
export type RunOutput =
  | {
      readonly kind: 'started';
      readonly language: string;
      readonly version: string;
      readonly warm: boolean;
      readonly resume_key: string;
      readonly seq: number;
    }
  | { readonly kind: 'compile' | 'stdout' | 'stderr'; readonly text: string; readonly seq: number };

/** Hears of one run: `queued` or `resumed` at most once and first, `ended` exactly once and last (and never after `abandon` or `leave`). */
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
  /** Whether its client may go and come back for it: it has started, and is kept. */
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
  /** The client has gone: the run is killed, or left to be resumed if it asked for that and has started. Its listener hears nothing any more. */
  abandon(): void;
  /** The gateway goes away: a run that has started is left to be resumed, whatever it asked for; any other ends as `draining`. */
  leave(): void;
}
export type InputResult = 'ok' | 'full' | 'ignored';

/** Why a worker's stream ended without a terminal event. */
export interface StreamFault {
  /**
   * The worker does not know the run (any more); what was missed is gone; the key is wrong; it does not know this gateway; another gateway has the run; the worker goes away and
   * has not started it; everything else: the worker is lost.
   */
  readonly kind: 'not_found' | 'out_of_range' | 'denied' | 'refused' | 'taken_over' | 'handed_back' | 'lost';
  readonly message: string;
}

export interface RunStreamHandlers {
  event(event: RunEvent): void;
  /** Once, last. undefined: the worker ended the stream in order. */
  end(fault: StreamFault | undefined): void;
}

/** One run's stream to its worker. */
export interface RunStream {
  send(input: NonNullable<RunInput['input']>): void;
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

/** A worker says that it has a run. */
export type Offer = {
  readonly run: string;
  readonly epoch: number;
  /** Who, for the log: the worker's id, or its address. */
  readonly worker: string;
} /** On the gateway's reply stream: where to attach. */ & (
  | { readonly address: string }
  /** On a stream that was opened ahead, together with its first message: an event, or none yet. */
  | { readonly take: TakeStream; readonly first: RunEvent }
);

export type SubmitOutcome =
  | { readonly outcome: 'ok'; readonly position: number }
  | { readonly outcome: 'replayed' }
  | { readonly outcome: 'rate' | 'full' | 'share'; readonly retryAfterMs: number };

/** A run as the registry holds it, when it is some worker's. */
export interface Held {
  readonly epoch: number;
  readonly worker: string;
  readonly address: string;
}

/** The registry's verbs that routing uses. */
export interface Registry {
  submit(spec: RunSpec): Promise<SubmitOutcome>;
  /**
   * Queues a run again that waits and may have been forgotten, or whose claim of `epoch` (0: none) was lost. Undefined: it waits, once and no more,
   * or was cancelled; otherwise who holds it by a later claim.
   */
  requeue(spec: RunSpec, epoch: number): Promise<Held | undefined>;
  /** Who holds a run; undefined: nobody, as far as is known. */
  find(runId: string): Promise<Held | undefined>;
  /** Keeps a note of a run that is not tried again, for an operator. */
  deadLetter(spec: RunSpec): Promise<void>;
  /** Whether the run was still queued, and is cancelled now. */
  cancel(runId: string, language: string): Promise<boolean>;
}

/** Hops that routing times, in seconds. */
export type RoutingStage = 'submit' | 'claim' | 'attach' | 'start' | 'first_output' | 'echo';

export interface RoutingMetrics {
  stage(stage: RoutingStage, seconds: number): void;
  /** `outcome`: an end reason, or an error code. */
  ended(language: string, outcome: string): void;
  /** A claim for a run that is not waited for (any more). */
  orphanedClaim(): void;
  /** A run is queued again. */
  requeued(why: 'worker_lost' | 'handed_back'): void;
  /** A client came back for a run: `resumed`, or an error code. */
  resume(outcome: 'resumed' | ErrorCode): void;
  /** A worker broke the stream's rules. */
  streamViolation(): void;
}

export interface RoutingSettings {
  readonly queueTtlMs: number;
  readonly startMs: number;
}
