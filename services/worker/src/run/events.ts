// The events of a run, in the shapes of the wire contract but free of gRPC, and where they go.
import type { ErrorCode } from '@rungrid/proto/errors';
import type { EndReason } from '@rungrid/proto/limits';

export interface Usage {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly outputBytes: number;
}

export type RunEvent =
  | {
      readonly type: 'started';
      readonly language: string;
      readonly version: string;
      readonly warm: boolean;
      readonly atUs: number;
    }
  | { readonly type: 'compile' | 'stdout' | 'stderr'; readonly bytes: Buffer }
  | {
      readonly type: 'exit';
      readonly code: number | undefined;
      readonly signal: string | undefined;
      readonly reason: EndReason;
      readonly usage: Usage;
      readonly truncated: boolean;
    }
  | { readonly type: 'error'; readonly code: ErrorCode; readonly message: string };

/** Where a client that resumes continues. */
export interface ResumePoint {
  /** seq of the first event that it will get; if later than the next one, the events between are no longer held. */
  readonly replayFrom: number;
  /** Bytes of stdin that the run has received from clients. */
  readonly stdinReceived: number;
  /** Those of them that its program has not read. */
  readonly stdinUnread: number;
  /** Wall-clock time left, ms. */
  readonly wallLeftMs: number;
  readonly language: string;
}

/** The attached subscriber: where a run's events go. */
export interface EventSink {
  /** Takes one event; false: take no more until `attachment.resume()`. */
  event(seq: number, event: RunEvent): boolean;
  /** The program has read that much stdin. */
  stdinConsumed(bytes: number): void;
  /** No more events: the run is over, another sink took over, or the events asked for are no longer held. */
  end(why: 'done' | 'taken_over' | 'gap'): void;
}

export function isTerminal(event: RunEvent): boolean {
  return event.type === 'exit' || event.type === 'error';
}
