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
  | { readonly kind: 'error'; readonly code: ErrorCode; readonly message: string; readonly retryAfterMs?: number };

/** What a worker's stream brings between `queued` and the end. */
export type RunOutput =
  | {
      readonly kind: 'started';
      readonly language: string;
      readonly version: string;
      readonly warm: boolean;
      readonly seq: number;
    }
  | { readonly kind: 'compile' | 'stdout' | 'stderr'; readonly text: string; readonly seq: number };

/** Hears of one run: `queued` at most once and first, `ended` exactly once and last (and never after `abandon`). */
export interface RunListener {
  queued(position: number): void;
  output(output: RunOutput): void;
  ended(end: RunEnd): void;
}

/** What a session may do with a run. */
export interface RunHandle {
  readonly id: string;
  /** `full`: the text was dropped whole. `ignored`: stdin is closed, or the run has ended. */
  stdin(text: string): InputResult;
  stdinClose(): InputResult;
  signal(name: SignalName): InputResult;
  resize(size: { cols: number; rows: number }): InputResult;
  stop(): InputResult;
  /** Stops and starts reading the worker's stream: the worker's program blocks meanwhile. */
  pause(): void;
  resume(): void;
  /** The client has gone: the run is killed, and its listener hears nothing any more. */
  abandon(): void;
}
export type InputResult = 'ok' | 'full' | 'ignored';

/** Why a worker's stream ended without a terminal event. */
export interface StreamFault {
  /** The worker does not know the run (any more); what was missed is gone; the key is wrong; everything else: the worker is lost. */
  readonly kind: 'not_found' | 'out_of_range' | 'denied' | 'lost';
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
  | { readonly outcome: 'rate'; readonly retryAfterMs: number }
  | { readonly outcome: 'full'; readonly length: number };

/** The registry's verbs that routing uses. */
export interface Registry {
  submit(spec: RunSpec): Promise<SubmitOutcome>;
  /** Whether the run was still queued, and is cancelled now. */
  cancel(runId: string, language: string): Promise<boolean>;
}

/** Hops that routing times, in seconds. */
export type RoutingHop = 'submit' | 'claim' | 'attach' | 'start' | 'first_output' | 'echo';

export interface RoutingMetrics {
  hop(hop: RoutingHop, seconds: number): void;
  /** `outcome`: an end reason, or an error code. */
  ended(language: string, outcome: string): void;
  /** A claim for a run that is not waited for (any more). */
  strayClaim(): void;
  /** A worker broke the stream's rules. */
  streamViolation(): void;
}

export interface RoutingSettings {
  readonly queueTtlMs: number;
  readonly startMs: number;
}
