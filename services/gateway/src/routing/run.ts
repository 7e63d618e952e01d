// One run's way from submit to its end: keeps the promise of exactly one terminal event, whatever is lost on the way.
import type { Logger } from '@rungrid/kit/logger';
import { ERRORS } from '@rungrid/proto/errors';
import type { SignalName } from '@rungrid/proto/limits';
import { Attachment } from './attachment.js';
import { type Input, InputQueue } from './input-queue.js';
import { afterLoss, errorEnd, exitEnd, refusalEnd } from './run-events.js';
import type {
  Held,
  InputResult,
  Offer,
  OpenStream,
  Registry,
  RoutingMetrics,
  RoutingSettings,
  RunEnd,
  RunHandle,
  RunListener,
  RunOutput,
  RunSpec,
  StreamFault,
  SubmitOutcome,
} from './types.js';

/** How long Redis and a claim under way may take to settle who wins when a queued run is taken back, ms. */
const CANCEL_WAIT_MS = 2000;
/** What a run that is queued again may wait at least, ms. */
const REQUEUED_TTL_MS = 5000;

type Why = 'ttl' | 'stop' | 'gone';
type State =
  /** Redis has not answered yet. */
  | { readonly kind: 'submitting' }
  | { readonly kind: 'queued' }
  /** Redis was asked to take the run back; a claim may still win. */
  | { readonly kind: 'cancelling'; readonly why: Why }
  | { readonly kind: 'attached'; readonly to: Attachment }
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
  /** Of the queue's deadlines; once a worker has the run, its attachment keeps the time. */
  #timer: NodeJS.Timeout | undefined;
  #queuedMs = 0;
  #epoch = 0;
  #losses = 0;
  #stdinClosed: boolean;
  #stopRequested = false;
  #paused = false;

  constructor(spec: RunSpec, listener: RunListener, deps: RunDeps) {
    this.id = spec.request.run;
    this.spec = spec;
    this.#listener = listener;
    this.#deps = deps;
    this.#stdinClosed = spec.request.stdin !== undefined;
    this.#arm(deps.settings.queueTtlMs, () => this.#cancelQueued('ttl'));
    deps.registry.submit(spec).then(
      (outcome) => this.#submitted(outcome),
      (error: unknown) => this.#submitFailed(error),
    );
  }

  get movable(): boolean {
    return this.spec.request.on_disconnect === 'keep' && this.#to?.started === true;
  }

  stdin(text: string): InputResult {
    if (this.#state.kind === 'ended' || this.#stdinClosed || this.#stopRequested) return 'ignored';
    if (text === '') return 'ok';
    const to = this.#to;
    if (to?.started === true) return to.stdin(text);
    if (!this.#inputs.pushText(text)) return 'full';
    return to?.stdin(text) ?? 'ok';
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
    if (this.#state.kind === 'attached') this.#state.to.stop(false);
    else if (this.#state.kind === 'queued') this.#cancelQueued('stop');
    return 'ok';
  }

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.#to?.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#to?.resume();
  }

  abandon(): void {
    if (this.#state.kind === 'ended') return;
    this.#listener = undefined;
    if (this.spec.request.on_disconnect === 'keep' && !this.#stopRequested && this.#left()) return;
    this.resume();
    if (this.#state.kind === 'attached') this.#state.to.stop(true);
    else if (this.#state.kind === 'cancelling') this.#state = { kind: 'cancelling', why: 'gone' };
    // While Redis has not answered there is nothing to cancel: the answer, or a claim, finds the listener gone.
    else if (this.#state.kind === 'queued') this.#cancelQueued('gone');
  }

  leave(): void {
    if (this.#state.kind === 'ended' || this.#left()) return;
    // Its client is told now, for its socket goes; the run itself is seen to as one whose client has gone.
    this.#listener?.ended(errorEnd('draining', 'the run had not started; run it again'));
    this.abandon();
  }

  /** Whether it waits for a worker, as far as this gateway knows, since before `sinceMs`. */
  waitsSince(sinceMs: number): boolean {
    return this.#state.kind === 'queued' && this.#queuedMs < sinceMs;
  }

  /** A worker has the run. false: it is attached already, or over, or the claim is one that was lost. */
  offered(offer: Offer): boolean {
    const { kind } = this.#state;
    if (kind === 'attached' || kind === 'ended' || offer.epoch <= this.#epoch) return false;
    const nowMs = performance.now();
    // The claim may outrun Redis's answer to submit, and proves what the answer will say.
    if (kind === 'submitting') this.#announce(0, nowMs);
    this.#deps.metrics.stage('claim', (nowMs - this.#queuedMs) / 1000);
    this.#epoch = offer.epoch;
    clearTimeout(this.#timer);
    const to = this.#attachment();
    const stream = 'take' in offer ? offer.take(to.handlers) : this.#attach(offer, to);
    this.#state = { kind: 'attached', to };
    to.carry(stream);
    for (const input of this.#inputs.all()) to.send(input);
    if (this.#paused) to.pause();
    if (this.#listener === undefined || this.#stopRequested) to.stop(this.#listener === undefined);
    if ('take' in offer) to.handlers.event(offer.first);
    return true;
  }

  /** The claim that held the run was lost, or the queue may have forgotten it: it is to be queued, unless a later claim holds it. */
  async requeue(): Promise<Held | undefined> {
    const held = await this.#deps.registry.requeue(this.spec, this.#epoch);
    return this.#state.kind === 'queued' ? held : undefined;
  }

  /** The worker that held the run by this claim is gone. */
  invalidateClaim(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
  }

  #attachment(): Attachment {
    const { metrics, settings, logger } = this.#deps;
    return new Attachment({
      id: this.id,
      resumeKey: `${this.id}.${this.spec.request.key}.${this.#epoch}`,
      seq: 0,
      started: false,
      startMs: settings.startMs,
      wallMs: this.spec.wallMs,
      bornMs: this.#bornMs,
      metrics,
      logger,
      heard: {
        output: (output) => this.#output(output),
        ended: (end) => this.#end(end),
        lost: (fault) => this.#lost(fault),
      },
    });
  }

  #attach(claim: { address: string; epoch: number }, to: Attachment): ReturnType<OpenStream> {
    const stream = this.#deps.openStream(claim.address, to.handlers);
    const { key } = this.spec.request;
    stream.send({ $case: 'attach', value: { runId: this.id, epoch: claim.epoch, key, afterSeq: 0, resume: false } });
    return stream;
  }

  get #to(): Attachment | undefined {
    return this.#state.kind === 'attached' ? this.#state.to : undefined;
  }

  #input(input: Input): InputResult {
    if (this.#state.kind === 'ended' || this.#stopRequested) return 'ignored';
    const to = this.#to;
    if (to?.started !== true && !this.#inputs.push(input)) return 'full';
    to?.send(input);
    return 'ok';
  }

  #output(output: RunOutput): void {
    // What came before the start was kept for another worker; the program has it now.
    if (output.kind === 'started') this.#inputs.clear();
    this.#listener?.output(output);
  }

  /** Whether it could be left to a client that comes back: only one that has its key, which comes with `started`. */
  #left(): boolean {
    if (this.#state.kind !== 'attached' || !this.#state.to.started) return false;
    this.#state.to.leave();
    this.#listener = undefined;
    this.#end(errorEnd('draining'), { outcome: 'left' });
    return true;
  }

  /** The worker was lost with the run. One that has shown nothing is tried again, on another. */
  #lost(fault: StreamFault | undefined): void {
    const to = this.#to;
    const shown = to === undefined || to.seq > 0;
    const wanted = this.#listener !== undefined && !this.#stopRequested;
    if (fault?.kind !== 'handed_back') this.#losses += 1;
    const end = afterLoss(fault?.kind, { shown, wanted, losses: this.#losses });
    if (end === undefined) return this.#queueAgain(fault?.kind === 'handed_back' ? 'handed_back' : 'worker_lost');
    if (end.code === 'poison') {
      this.#deps.logger.error({ run: this.id, language: this.spec.request.language }, 'run lost its workers');
      this.#deps.registry.deadLetter(this.spec).catch((error: unknown) => this.#warn('dead letter failed', error));
    }
    this.#end(end);
  }

  #queueAgain(why: 'worker_lost' | 'handed_back'): void {
    this.#deps.metrics.requeued(why);
    const nowMs = performance.now();
    this.#state = { kind: 'queued' };
    this.#queuedMs = nowMs;
    const leftMs = this.#deps.settings.queueTtlMs - (nowMs - this.#bornMs);
    this.#arm(Math.max(REQUEUED_TTL_MS, leftMs), () => this.#cancelQueued('ttl'));
    // One that fails is asked for again: a run that waits is looked after by the router.
    this.requeue().catch((error: unknown) => this.#warn('requeue failed', error));
  }

  #submitted(result: SubmitOutcome): void {
    const nowMs = performance.now();
    this.#deps.metrics.stage('submit', (nowMs - this.#bornMs) / 1000);
    if (this.#state.kind !== 'submitting') {
      // It waited longer than a run may: what came of it is known only now.
      if (this.#state.kind === 'ended' && result.outcome === 'ok') void this.#cancel();
      return;
    }
    if (result.outcome !== 'ok') return this.#end(refusalEnd(result));
    this.#announce(result.position, nowMs);
    if (this.#listener === undefined) this.#cancelQueued('gone');
    else if (this.#stopRequested) this.#cancelQueued('stop');
  }

  #submitFailed(error: unknown): void {
    this.#warn('submit failed', error);
    if (this.#state.kind !== 'submitting') return;
    // Whether Redis has done it is not known: a claim may come, and is refused then.
    this.#end(errorEnd('unavailable', 'the queue cannot be reached'), { claimable: true });
    void this.#cancel();
  }

  #announce(position: number, nowMs: number): void {
    this.#state = { kind: 'queued' };
    this.#queuedMs = nowMs;
    this.#listener?.queued(position);
  }

  #cancelQueued(why: Why): void {
    if (this.#state.kind === 'submitting')
      return this.#end(errorEnd('unavailable', 'the queue did not answer'), { claimable: true });
    this.#state = { kind: 'cancelling', why };
    this.#arm(CANCEL_WAIT_MS, () => this.#end(this.#cancelledEnd(), { claimable: true }));
    void this.#cancel().then((cancelled) => {
      if (cancelled && this.#state.kind === 'cancelling') this.#end(this.#cancelledEnd());
      return undefined;
    });
  }

  /** Whether the run was still queued, and is cancelled now; false also when Redis does not say. */
  async #cancel(): Promise<boolean> {
    try {
      return await this.#deps.registry.cancel(this.id, this.spec.request.language);
    } catch (error) {
      this.#warn('cancel failed', error);
      return false;
    }
  }

  #cancelledEnd(): RunEnd {
    const why = this.#state.kind === 'cancelling' ? this.#state.why : 'gone';
    if (why === 'ttl') return errorEnd('queue_timeout', ERRORS.queue_timeout.meaning);
    return exitEnd({ reason: why === 'stop' ? 'stopped' : 'disconnected', seq: 1 });
  }

  /** The only way out: one terminal event, the timer and the worker released. */
  #end(end: RunEnd, how: { claimable?: boolean; outcome?: string } = {}): void {
    const state = this.#state;
    if (state.kind === 'ended') return;
    this.#state = { kind: 'ended' };
    clearTimeout(this.#timer);
    this.#inputs.clear();
    if (state.kind === 'attached') state.to.drop();
    const outcome = how.outcome ?? (end.kind === 'exit' ? end.reason : end.code);
    this.#deps.metrics.ended(this.spec.request.language, outcome);
    this.#deps.logger.debug({ run: this.id, language: this.spec.request.language, outcome }, 'run ended');
    this.#deps.onEnded(this, how.claimable === true);
    this.#listener?.ended(end);
    this.#listener = undefined;
  }

  #warn(what: string, error: unknown): void {
    this.#deps.logger.warn({ run: this.id, err: error instanceof Error ? error.message : 'unknown' }, what);
  }

  #arm(delayMs: number, fire: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(fire, delayMs);
  }
}
