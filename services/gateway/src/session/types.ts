// What a session needs from others: its socket, admission, the router, settings and counters.
import type { CloseName } from '@rungrid/proto/close-codes';
import type { ErrorCode } from '@rungrid/proto/errors';
import type { ClientEvent, RunCode } from '@rungrid/proto/frames';
import type { ResumeRequest, RunHandle, RunListener, RunSpec } from '../routing/types.js';

/** The client of a socket, as copied from the upgrade request. */
export interface Client {
  /** Origin header; empty for a client that sends none. */
  readonly origin: string;
  /** Normalized address, for counts within this process. */
  readonly address: string;
  /** What of the address leaves this process. */
  readonly addressHash: string;
  /** The same of the origin; empty without one. */
  readonly siteHash: string;
}

/** 1: sent. 0: taken, but it waits. 2: dropped. */
export type SendResult = 0 | 1 | 2;

/** A socket, without its library. Its methods do nothing once the socket has closed. */
export interface SessionSocket {
  send(text: string): SendResult;
  /** Bytes taken and not yet sent. */
  bufferedBytes(): number;
  close(name: CloseName): void;
}

export type AdmissionResult =
  | { readonly ok: true; readonly spec: RunSpec }
  | { readonly ok: false; readonly code: ErrorCode; readonly message: string; readonly retryAfterMs?: number };

export interface SessionSettings {
  readonly framesPerSecond: number;
  readonly runsPerSocket: number;
  readonly outboxBytes: number;
  readonly slowClientMs: number;
  readonly firstFrameMs: number;
  readonly idleMs: number;
}

export interface SessionMetrics {
  /** `invalid`: the parser did not let it through. `control`: a WebSocket ping or pong. */
  frame(event: ClientEvent | 'invalid' | 'control'): void;
  /** An error event was sent. */
  refused(code: ErrorCode): void;
  closing(name: CloseName): void;
  congested(): void;
}

export interface SessionDeps {
  readonly admit: (data: RunCode, client: Client) => AdmissionResult;
  readonly submit: (spec: RunSpec, listener: RunListener) => RunHandle;
  readonly resume: (request: ResumeRequest, listener: RunListener) => RunHandle;
  /** The hello frame, as text. */
  readonly hello: () => string;
  /** Whether the queue can be reached, as far as is known: a refusal at once beats a wait for a deadline. */
  readonly available: () => boolean;
  /** Whether the gateway shuts down, and takes no new runs. */
  readonly draining: () => boolean;
  readonly settings: SessionSettings;
  readonly metrics: SessionMetrics;
}
