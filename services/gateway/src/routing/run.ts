// One run's way from submit to its end: keeps the promise of exactly one terminal event, and owns the run's only timer.
import { Buffer } from 'node:buffer';
import type { Logger } from '@rungrid/kit/logger';
import { ERRORS } from '@rungrid/proto/errors';
import type { RunEvent } from '@rungrid/proto/gen/rungrid/v1/runner';
import { type SignalName, STDIN_BUFFER_BYTES, STDIN_WINDOW_BYTES } from '@rungrid/proto/limits';
import { type Input, InputQueue, stdinInput } from './input-queue.js';
import { errorEnd, exitEnd, outputOf, refusalEnd, workerError } from './run-events.js';
import type {
  InputResult,
  Offer,
  OpenStream,
  Registry,
  RoutingMetrics,
  RoutingSettings,
  RunEnd,
  RunHandle,
  RunListener,
  RunSpec,
  RunStream,
  RunStreamHandlers,
  StreamFault,
  SubmitOutcome,
} from './types.js';

/** How long Redis and a claim under way may take to settle who wins when a queued run is taken back, ms. */
const CANCEL_WAIT_MS = 2000;
/** How long after its wall-clock limit the worker's verdict may take, ms. */
const WALL_GRACE_MS = 3000;
/** How long a worker may take to end a run that was stopped, ms. */
const STOP_WAIT_MS = 5000;

type Why = 'ttl' | 'stop' | 'gone';
type State =
  /** Redis has not answered yet. */
  | { readonly kind: 'submitting' }
  | { readonly kind: 'queued' }
  /** Redis was asked to take the run back; a claim may still win. */
  | { readonly kind: 'cancelling'; readonly why: Why }
  | { readonly kind: 'attached'; readonly stream: RunStream; readonly atMs: number; seq: number; started: boolean }
  | { readonly kind: 'ended' };

export interface RunDeps {
  readonly registry: Registry;
  readonly openStream: OpenStream;
  readonly metrics: RoutingMetrics;
  readonly settings: RoutingSettings;
  readonly logger: Logger;
  /** The run is over. `claimable`: a claim for it may still come. */
  readonly onEnded: (run: Run, claimable: boolean) => void;
}

export class Run implements RunHandle {
  readonly id: string;
  readonly spec: RunSpec;
  readonly #deps: RunDeps;
  readonly #bornMs = performance.now();
  readonly #inputs = new InputQueue();
  #listener: RunListener | undefined;
  #state: State = { kind: 'submitting' };
  #timer: NodeJS.Timeout | undefined;
  #queuedMs = 0;
  #unreadStdin = 0;
  #stdinClosed: boolean;
  #stopRequested = false;
  #paused = false;
  #outputSeen = false;
  #typedMs = 0;

  constructor(spec: RunSpec, listener: RunListener, deps: RunDeps) {
    this.id = spec.request.run;
    this.spec = spec;
    this.#listener = listener;
    this.#deps = deps;
    this.#stdinClosed = spec.request.stdin !== undefined;
    this.#arm(deps.settings.queueTtlMs, () => this.#takeBack('ttl'));
    deps.registry.submit(spec).then(
      (outcome) => this.#submitted(outcome),
      (error: unknown) => this.#submitFailed(error),
    );
  }

  stdin(text: string): InputResult {
    if (this.#state.kind === 'ended' || this.#stdinClosed || this.#stopRequested) return 'ignored';
    const bytes = Buffer.byteLength(text);
    if (bytes === 0) return 'ok';
    const started = this.#state.kind === 'attached' && this.#state.started;
    if (this.#unreadStdin + bytes > (started ? STDIN_WINDOW_BYTES : STDIN_BUFFER_BYTES)) return 'full';
    this.#unreadStdin += bytes;
    if (this.#state.kind === 'attached') {
      if (this.#typedMs === 0) this.#typedMs = performance.now();
      this.#state.stream.send(stdinInput(text));
    } else {
      this.#inputs.pushText(text);
    }
    return 'ok';
  }

  stdinClose(): InputResult {
    if (this.#stdinClosed) return 'ignored';
    const result = this.#input({ $case: 'stdinClose', value: {} });
    if (result === 'ok') this.#stdinClosed = true;
    return result;
  }

  signal(name: SignalName): InputResult {
    return this.#input({ $case: 'signal', value: { name } });
  }

  resize(size: { cols: number; rows: number }): InputResult {
    return this.#input({ $case: 'resize', value: size });
  }

  stop(): InputResult {
    if (this.#state.kind === 'ended' || this.#stopRequested) return 'ignored';
    this.#stopRequested = true;
    if (this.#state.kind === 'attached') this.#sendStop(this.#state.stream);
    else if (this.#state.kind === 'queued') this.#takeBack('stop');
    return 'ok';
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    if (this.#state.kind === 'attached') this.#state.stream.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#state.kind === 'attached') this.#state.stream.resume();
  }

  abandon(): void {
    if (this.#state.kind === 'ended') return;
    this.#listener = undefined;
    this.resume();
    if (this.#state.kind === 'attached') this.#sendStop(this.#state.stream);
    else if (this.#state.kind === 'cancelling') this.#state = { kind: 'cancelling', why: 'gone' };
    // While Redis has not answered there is nothing to cancel: the answer, or a claim, finds the listener gone.
    else if (this.#state.kind === 'queued') this.#takeBack('gone');
  }

  /** A worker has the run. false: it is attached already, or over. */
  offered(offer: Offer): boolean {
    if (this.#state.kind === 'attached' || this.#state.kind === 'ended') return false;
    const nowMs = performance.now();
    // The claim may outrun Redis's answer to submit, and proves what the answer will say.
    if (this.#state.kind === 'submitting') this.#announce(0, nowMs);
    this.#deps.metrics.hop('claim', (nowMs - this.#queuedMs) / 1000);
    const handlers = {
      event: (event: RunEvent) => this.#event(event),
      end: (fault: StreamFault | undefined) => this.#streamEnded(fault),
    };
    const stream = 'take' in offer ? offer.take(handlers) : this.#attach(offer, handlers);
    this.#state = { kind: 'attached', stream, atMs: nowMs, seq: 0, started: false };
    for (const input of this.#inputs.drain()) stream.send(input);
    if (this.#paused) stream.pause();
    this.#arm(this.#deps.settings.startMs, () => this.#overdue());
    if (this.#listener === undefined || this.#stopRequested) this.#sendStop(stream);
    if ('take' in offer) this.#event(offer.first);
    return true;
  }

  #attach(claim: { address: string; epoch: number }, handlers: RunStreamHandlers): RunStream {
    const stream = this.#deps.openStream(claim.address, handlers);
    const { key } = this.spec.request;
    stream.send({ $case: 'attach', value: { runId: this.id, epoch: claim.epoch, key, afterSeq: 0 } });
    return stream;
  }

  #input(input: Input): InputResult {
    if (this.#state.kind === 'ended' || this.#stopRequested) return 'ignored';
    if (this.#state.kind !== 'attached') return this.#inputs.push(input) ? 'ok' : 'full';
    this.#state.stream.send(input);
    return 'ok';
  }

  #sendStop(stream: RunStream): void {
    stream.send({ $case: 'stop', value: { disconnected: this.#listener === undefined } });
    this.#arm(STOP_WAIT_MS, () => this.#overdue());
  }

  #submitted(result: SubmitOutcome): void {
    const nowMs = performance.now();
    this.#deps.metrics.hop('submit', (nowMs - this.#bornMs) / 1000);
    if (this.#state.kind !== 'submitting') {
      // It waited longer than a run may: what came of it is known only now.
      if (this.#state.kind === 'ended' && result.outcome === 'ok') void this.#cancel();
      return;
    }
    if (result.outcome !== 'ok') return this.#end(refusalEnd(result));
    this.#announce(result.position, nowMs);
    if (this.#listener === undefined) this.#takeBack('gone');
    else if (this.#stopRequested) this.#takeBack('stop');
  }

  #submitFailed(error: unknown): void {
    this.#deps.logger.warn({ run: this.id, err: error instanceof Error ? error.message : 'unknown' }, 'submit failed');
    if (this.#state.kind !== 'submitting') return;
    // Whether Redis has done it is not known: a claim may come, and is refused then.
    this.#end(errorEnd('unavailable', 'the queue can not be reached'), { claimable: true });
    void this.#cancel();
  }

  #announce(position: number, nowMs: number): void {
    this.#state = { kind: 'queued' };
    this.#queuedMs = nowMs;
    this.#listener?.queued(position);
  }

  #takeBack(why: Why): void {
    if (this.#state.kind === 'submitting') return this.#giveUpSubmit();
    this.#state = { kind: 'cancelling', why };
    this.#arm(CANCEL_WAIT_MS, () => this.#end(this.#cancelledEnd(), { claimable: true }));
    void this.#cancel().then((cancelled) => {
      if (cancelled && this.#state.kind === 'cancelling') this.#end(this.#cancelledEnd());
      return undefined;
    });
  }

  #giveUpSubmit(): void {
    this.#end(errorEnd('unavailable', 'the queue did not answer'), { claimable: true });
  }

  /** Whether the run was still queued, and is cancelled now; false also when Redis does not say. */
  async #cancel(): Promise<boolean> {
    try {
      return await this.#deps.registry.cancel(this.id, this.spec.request.language);
    } catch (error) {
      this.#deps.logger.warn(
        { run: this.id, err: error instanceof Error ? error.message : 'unknown' },
        'cancel failed',
      );
      return false;
    }
  }

  #cancelledEnd(): RunEnd {
    const why = this.#state.kind === 'cancelling' ? this.#state.why : 'gone';
    if (why === 'ttl') return errorEnd('queue_timeout', ERRORS.queue_timeout.meaning);
    return exitEnd({ reason: why === 'stop' ? 'stopped' : 'disconnected', seq: 1 });
  }

  #event(event: RunEvent): void {
    const state = this.#state;
    if (state.kind !== 'attached' || event.event === undefined) return;
    if (event.event.$case === 'stdinConsumed') {
      this.#unreadStdin = Math.max(0, this.#unreadStdin - event.event.value);
      return;
    }
    if (event.seq !== state.seq + 1) return this.#outOfOrder(event.seq, state.seq);
    if (state.seq === 0) this.#deps.metrics.hop('attach', (performance.now() - state.atMs) / 1000);
    state.seq = event.seq;
    const { event: body } = event;
    if (body.$case === 'exit') return this.#end(exitEnd({ exit: body.value, seq: event.seq }), { byWorker: true });
    if (body.$case === 'error') return this.#end(workerError(body.value), { byWorker: true });
    if (body.$case === 'started') this.#started(state);
    this.#listener?.output(outputOf(body, event.seq));
    if (body.$case === 'stdout' || body.$case === 'stderr') this.#timeOutput();
  }

  #started(state: State & { kind: 'attached' }): void {
    if (state.started) return;
    state.started = true;
    this.#deps.metrics.hop('start', (performance.now() - this.#bornMs) / 1000);
    if (this.#listener !== undefined && !this.#stopRequested)
      this.#arm(this.spec.wallMs + WALL_GRACE_MS, () => this.#overdue());
  }

  #timeOutput(): void {
    if (!this.#outputSeen) {
      this.#outputSeen = true;
      this.#deps.metrics.hop('first_output', (performance.now() - this.#bornMs) / 1000);
    }
    if (this.#typedMs === 0) return;
    this.#deps.metrics.hop('echo', (performance.now() - this.#typedMs) / 1000);
    this.#typedMs = 0;
  }

  /** A repeat is dropped; a hole ends the run, for it is never silent. */
  #outOfOrder(seq: number, last: number): void {
    this.#deps.metrics.streamViolation();
    this.#deps.logger.warn({ run: this.id, seq, last }, 'event out of order');
    if (seq > last) this.#end(errorEnd('worker_lost', 'a part of the output was lost'));
  }

  #streamEnded(fault: StreamFault | undefined): void {
    if (this.#state.kind !== 'attached') return;
    this.#deps.logger.warn(
      { run: this.id, fault: fault?.kind ?? 'none', detail: fault?.message },
      'stream ended before the run',
    );
    this.#end(fault?.kind === 'denied' ? errorEnd('internal') : errorEnd('worker_lost'));
  }

  #overdue(): void {
    if (this.#state.kind !== 'attached') return;
    // The client does not read, so the verdict may wait in the stream. The session bounds how long that goes on.
    if (this.#paused) return this.#arm(WALL_GRACE_MS, () => this.#overdue());
    this.#deps.logger.warn({ run: this.id, started: this.#state.started }, 'run overdue');
    const neverStarted = !this.#state.started && !this.#stopRequested;
    this.#end(errorEnd(neverStarted ? 'start_failed' : 'worker_lost'));
  }

  /** The only way out: one terminal event, the timer and the stream released. */
  #end(end: RunEnd, how: { claimable?: boolean; byWorker?: boolean } = {}): void {
    const state = this.#state;
    if (state.kind === 'ended') return;
    this.#state = { kind: 'ended' };
    clearTimeout(this.#timer);
    this.#inputs.drain();
    if (state.kind === 'attached') {
      if (how.byWorker === true) state.stream.finish();
      else state.stream.cancel();
    }
    const outcome = end.kind === 'exit' ? end.reason : end.code;
    this.#deps.metrics.ended(this.spec.request.language, outcome);
    this.#deps.logger.debug({ run: this.id, language: this.spec.request.language, outcome }, 'run ended');
    this.#deps.onEnded(this, how.claimable === true);
    this.#listener?.ended(end);
    this.#listener = undefined;
  }

  #arm(delayMs: number, fire: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(fire, delayMs);
  }
}
