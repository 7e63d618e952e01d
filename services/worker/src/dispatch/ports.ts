// The interfaces that dispatching needs: sandboxes, claims, the gateways' parked streams, and somewhere to report.
import type { RunRequest } from '@rungrid/proto/stream-entries';
import type { Lease } from '../run/options.js';
import type { Run } from '../run/run.js';

/** Takes the requests that the puller reads. */
export interface RequestHandler {
  /** Never throws and never rejects: every failure is the run's outcome. */
  take(request: RunRequest, from: QueueEntry): void;
}

export interface QueueEntry {
  readonly entryId: string;
  /** How many workers received it, this one included. */
  readonly deliveries: number;
}

/** Where sandboxes come from, by pool key (poolKeyOf). */
export interface SandboxSource {
  /** A warm one, or undefined; synchronous. */
  tryAcquire(poolKey: string): Lease | undefined;
  /** Reserves a place for a later acquire. Returns how to cancel, which the caller does first. Idempotent. */
  reserve(poolKey: string): () => void;
  /** The next one to be ready. Rejects when none can be made, or on the signal. */
  acquireCold(poolKey: string, signal: AbortSignal): Promise<Lease>;
}

/** A parked stream of a gateway, taken for one run. */
export interface GatewayStream {
  /** Sends all of the run's events there. false: the stream is closed. */
  assign(run: Run): boolean;
  /** The run is not assigned, because the claim was refused or another stream has attached: parks the stream again. */
  release(): void;
}

/** The streams that gateways parked ahead. */
export interface GatewayStreams {
  take(gatewayId: string): GatewayStream | undefined;
}

export interface ClaimRequest {
  readonly runId: string;
  readonly language: string;
  readonly entryId: string;
  readonly gatewayId: string;
  /** Whether to notify the gateway on its reply stream; otherwise a parked stream does. */
  readonly notify: boolean;
}

/** Claims runs in the registry. */
export interface Claims {
  /** The epoch, or 0 when the run cannot be claimed. */
  claim(request: ClaimRequest): Promise<number>;
  /** Notifies a gateway, on its reply stream, that this worker holds the run. In the background. */
  notify(run: Run, gatewayId: string): void;
}

/** What happens to runs, for the metrics. */
export interface DispatchMetrics {
  /** A request was read, `us` after its click. */
  queued(language: string, us: number): void;
  claimed(language: string, us: number): void;
  claimLost(): void;
  /** A run began to be claimed; `ended` follows. */
  live(): void;
  /** A sandbox was, or could not be, acquired. */
  checkout(language: string, warm: boolean): void;
  /** The program runs, `us` after it was submitted. */
  started(language: string, us: number): void;
  firstOutput(language: string, us: number): void;
  ended(language: string, reason: string): void;
}
