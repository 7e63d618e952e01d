// The gRPC server of runner.proto: finds the run, checks the key, and carries events and input between a stream and the run.
import { timingSafeEqual } from 'node:crypto';
import { status } from '@grpc/grpc-js';
import type { GrpcSecurity } from '@rungrid/kit/grpc-security';
import type { Assigned, Attach, RunEvent as WireEvent, RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import { type SignalName, SIGNALS } from '@rungrid/proto/limits';
import type { GatewayStream, GatewayStreams } from '../dispatch/ports.js';
import type { EventSink, RunEvent } from '../run/events.js';
import type { Run } from '../run/run.js';
import { ParkedStreams } from './parked.js';
import { type Call, openGrpcPort } from './port.js';

/** A stream that has no run for so long is ended, ms; a gateway that parked it opens another. */
const IDLE_TIMEOUT_MS = 300_000;

/** How long after its claim a run without an event is announced, ms: a warm start has its first event by then. */
const ASSIGN_ALONE_MS = 5;

export interface GrpcServerOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Who may call. */
  readonly security: GrpcSecurity;
  readonly find: (runId: string) => Run | undefined;
  /** A stream was lost before its gateway gave a sign that it knows which run was assigned to it. */
  readonly onUnacknowledged: (run: Run, gatewayId: string) => void;
}

export interface GrpcServer {
  readonly port: number;
  /** What gateways have opened ahead. */
  readonly streams: GatewayStreams;
  /** Ends the streams that are left, and stops. */
  close(): Promise<void>;
}

/** Starts it. Rejects when the address can't be bound. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const parked = new ParkedStreams<RunStream>();
  const parts = { ...options, parked };
  const port = await openGrpcPort({ ...options, serve: (call) => void new RunStream(call, parts) });
  return {
    port: port.port,
    streams: { take: (gatewayId) => parked.take(gatewayId) },
    close: () => port.close(),
  };
}

interface StreamParts {
  readonly find: GrpcServerOptions['find'];
  readonly onUnacknowledged: GrpcServerOptions['onUnacknowledged'];
  readonly parked: ParkedStreams<RunStream>;
}

/** One stream: waits for its attach, or parked for an assignment, then is the run's sink. */
class RunStream implements EventSink, GatewayStream {
  readonly #call: Call;
  readonly #parts: StreamParts;
  readonly #idleTimer: NodeJS.Timeout;
  /** Whose runs it waits for, while or after it was parked. */
  #gatewayId: string | undefined;
  #run: Run | undefined;
  /** What the next message has to say first. */
  #assigned: Assigned | undefined;
  #assignTimer: NodeJS.Timeout | undefined;
  /** The caller has said something about its run. */
  #acknowledged = false;
  #over = false;

  constructor(call: Call, parts: StreamParts) {
    this.#call = call;
    this.#parts = parts;
    this.#idleTimer = setTimeout(() => this.#refuse(status.DEADLINE_EXCEEDED, 'no run'), IDLE_TIMEOUT_MS);
    call.on('data', (message: RunInput) => this.#onMessage(message));
    call.on('drain', () => this.#run?.subscription.resume(this));
    for (const name of ['end', 'cancelled', 'error']) call.on(name, () => this.#onClosed());
  }

  assign(run: Run): boolean {
    if (this.#over) return false;
    clearTimeout(this.#idleTimer);
    this.#run = run;
    this.#assigned = { runId: run.id, epoch: run.epoch };
    run.subscription.attach(this, 0);
    // Beside the first event it costs no message of its own; a run without an event yet is announced separately.
    if (this.#assigned !== undefined) this.#assignTimer = setTimeout(() => this.#send({ seq: 0 }), ASSIGN_ALONE_MS);
    return true;
  }

  release(): void {
    if (!this.#over && this.#gatewayId !== undefined) this.#park(this.#gatewayId);
  }

  event(seq: number, event: RunEvent): boolean {
    return this.#send({ seq, event: toWire(event) });
  }

  stdinConsumed(bytes: number): void {
    this.#send({ seq: 0, event: { $case: 'stdinConsumed', value: bytes } });
  }

  end(why: 'done' | 'taken_over' | 'gap'): void {
    if (why === 'taken_over') this.#refuse(status.ABORTED, 'another stream has attached');
    else if (why === 'gap') this.#refuse(status.OUT_OF_RANGE, 'events after after_seq are no longer held');
    else if (this.#leave()) this.#call.end();
  }

  /** The caller has ended the stream, or its connection was lost. */
  #onClosed(): void {
    const run = this.#run;
    if (!this.#leave()) return;
    this.#call.end();
    if (run === undefined) return;
    // A gateway that has said nothing of a run may not know that it has it.
    if (this.#gatewayId !== undefined && !this.#acknowledged) this.#parts.onUnacknowledged(run, this.#gatewayId);
    else run.subscription.lost();
  }

  #onMessage(message: RunInput): void {
    const { input } = message;
    if (this.#over) return;
    const run = this.#run;
    if (run === undefined) {
      if (this.#gatewayId !== undefined) this.#refuse(status.FAILED_PRECONDITION, 'parked, and without a run');
      else if (input?.$case === 'attach') this.#attach(input.value);
      else if (input?.$case === 'park') this.#park(input.value.gatewayId);
      else this.#refuse(status.FAILED_PRECONDITION, 'the first message must be attach or park');
      return;
    }
    // Of a newer gateway, perhaps: what is not known here is not for us.
    if (input === undefined) return;
    this.#acknowledged = true;
    switch (input.$case) {
      case 'stdin':
        if (!run.writeStdin(input.value)) this.#refuse(status.RESOURCE_EXHAUSTED, 'stdin past its window');
        return;
      case 'stdinClose':
        return run.closeStdin();
      case 'signal':
        if (Object.hasOwn(SIGNALS, input.value.name)) run.signal(input.value.name as SignalName);
        return;
      case 'stop':
        return run.stop(input.value.disconnected ? 'disconnected' : 'stopped');
      case 'leave':
        return run.subscription.keepForResume();
      case 'resize':
        if (isSize(input.value)) run.resize(input.value);
        return;
      case 'attach':
      case 'park':
        return this.#refuse(status.FAILED_PRECONDITION, 'it has its run already');
    }
  }

  #send(message: WireEvent): boolean {
    if (this.#assigned === undefined) return this.#call.write(message);
    const assigned = this.#assigned;
    this.#assigned = undefined;
    clearTimeout(this.#assignTimer);
    return this.#call.write({ ...message, assigned });
  }

  #attach(attach: Attach): void {
    clearTimeout(this.#idleTimer);
    const run = this.#parts.find(attach.runId);
    // The gateway may hear of the claim before this worker does: its epoch is 0 until then.
    if (run === undefined || (run.epoch !== 0 && run.epoch !== attach.epoch))
      return this.#refuse(status.NOT_FOUND, 'no such run');
    if (!sameKey(run.key, attach.key)) return this.#refuse(status.PERMISSION_DENIED, 'wrong key');
    if (attach.resume && !this.#mayResume(run, attach.afterSeq)) return;
    this.#run = run;
    run.subscription.attach(this, attach.afterSeq);
  }

  /** Answers a gateway whose client resumes. false: there is nothing to resume, and the stream has ended. */
  #mayResume(run: Run, afterSeq: number): boolean {
    const point = run.resumePoint(afterSeq);
    if (point === undefined) this.#refuse(status.NOT_FOUND, 'the run has ended, and its end was heard');
    else this.#call.write({ seq: 0, attached: point });
    if (point === undefined || point.replayFrom === afterSeq + 1) return point !== undefined;
    this.#refuse(status.OUT_OF_RANGE, 'events after after_seq are no longer held');
    return false;
  }

  #park(gatewayId: string): void {
    this.#gatewayId = gatewayId;
    if (!this.#parts.parked.add(gatewayId, this)) this.#refuse(status.RESOURCE_EXHAUSTED, 'too many parked streams');
  }

  #refuse(code: number, details: string): void {
    if (this.#leave()) this.#call.emit('error', { code, details });
  }

  /** Lets go of everything; false: that was done before. */
  #leave(): boolean {
    if (this.#over) return false;
    this.#over = true;
    clearTimeout(this.#idleTimer);
    clearTimeout(this.#assignTimer);
    if (this.#gatewayId !== undefined) this.#parts.parked.remove(this.#gatewayId, this);
    this.#run?.subscription.detach(this);
    return true;
  }
}

/** What the gateway checked already; another one's mistake must not become a frame. */
function isSize({ cols, rows }: { cols: number; rows: number }): boolean {
  return cols >= 1 && cols <= 1000 && rows >= 1 && rows <= 1000;
}

function toWire(event: RunEvent): NonNullable<WireEvent['event']> {
  switch (event.type) {
    case 'started':
      return {
        $case: 'started',
        value: { language: event.language, version: event.version, warm: event.warm, atUs: event.atUs },
      };
    case 'exit':
      return {
        $case: 'exit',
        value: {
          code: event.code,
          signal: event.signal,
          reason: event.reason,
          usage: event.usage,
          truncated: event.truncated,
        },
      };
    case 'error':
      return { $case: 'error', value: { code: event.code, message: event.message } };
    case 'compile':
    case 'stdout':
    case 'stderr':
      return { $case: event.type, value: event.bytes };
  }
}

function sameKey(expected: string, given: string): boolean {
  const [a, b] = [Buffer.from(expected), Buffer.from(given)];
  return a.length === b.length && timingSafeEqual(a, b);
}
