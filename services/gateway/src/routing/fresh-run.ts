// A new run's entry: through the queue to a worker, and back into the queue when that worker is lost before the start.
import { afterLoss, errorEnd, refusalEnd, unstartedExit } from './ends.js';
import { Run, type RunDeps } from './run.js';
import type { ClaimNotice, Held, RunEnd, RunListener, RunSpec, StreamFault, SubmitOutcome } from './types.js';

/** How long Redis and a claim under way may take to settle which one wins when a queued run is cancelled, ms. */
const CANCEL_WAIT_MS = 2000;
/** What a run that is queued again may wait at least, ms. */
const REQUEUED_TTL_MS = 5000;

type Why = 'expired' | 'stopped' | 'disconnected';
type State =
  /** Redis has not answered yet. */
  | { readonly kind: 'submitting' }
  | { readonly kind: 'queued' }
  /** Redis was asked to cancel the run; a claim may still win. */
  | { readonly kind: 'cancelling'; readonly why: Why }
  | { readonly kind: 'attached' };

export interface FreshRunDeps extends RunDeps {
  /** The run is over. `claimable`: a claim for it may still come. */
  readonly onEnded: (run: FreshRun, claimable: boolean) => void;
}

export class FreshRun extends Run {
  readonly spec: RunSpec;
  readonly #onEnded: FreshRunDeps['onEnded'];
  readonly #bornMs = performance.now();
  #state: State = { kind: 'submitting' };
  /** Of the queue's deadlines; once a worker has the run, its attachment keeps the time. */
  #timer: NodeJS.Timeout | undefined;
  #queuedMs = 0;
  #epoch = 0;
  #losses = 0;
  #claimable = false;

  constructor(spec: RunSpec, listener: RunListener, deps: FreshRunDeps) {
    super({ id: spec.runId, listener, deps, stdinClosed: spec.stdinGiven });
    this.spec = spec;
    this.#onEnded = deps.onEnded;
    this.#arm(deps.settings.queueTtlMs, () => this.#cancelQueued('expired'));
    deps.registry.submit(spec).then(
      (outcome) => this.#submitted(outcome),
      (error: unknown) => this.#submitFailed(error),
    );
  }

  get movable(): boolean {
    return this.spec.keep && this.attachment?.started === true;
  }

  abandon(): void {
    if (this.over) return;
    this.listener = undefined;
    if (this.movable && !this.stopRequested) return this.leaveToWorker();
    this.resume();
    if (this.attachment !== undefined) this.attachment.stop(true);
    else if (this.#state.kind === 'cancelling') this.#state = { kind: 'cancelling', why: 'disconnected' };
    // While Redis has not answered there is nothing to cancel: the answer, or a claim, finds the listener removed.
    else if (this.#state.kind === 'queued') this.#cancelQueued('disconnected');
  }

  leave(): void {
    if (this.over) return;
    if (this.attachment?.started === true) return this.leaveToWorker();
    // Its client gets the end now, while the socket is open; the run itself ends as one whose client has disconnected.
    this.listener?.ended(errorEnd('draining', 'the run had not started; run it again'));
    this.abandon();
  }

  /** Whether it is queued, as far as this gateway knows, since before `sinceMs`. */
  queuedSince(sinceMs: number): boolean {
    return this.#state.kind === 'queued' && !this.over && this.#queuedMs < sinceMs;
  }

  /** A worker has claimed the run. false: it is attached already, or over, or the claim is known to be lost. */
  claimed(notice: ClaimNotice): boolean {
    if (this.#state.kind === 'attached' || this.over || notice.epoch <= this.#epoch) return false;
    const nowMs = performance.now();
    // The claim may outrun Redis's answer to submit, and proves what the answer will say.
    if (this.#state.kind === 'submitting') this.#queued(0, nowMs);
    this.deps.metrics.stage('claim', (nowMs - this.#queuedMs) / 1000);
    this.#epoch = notice.epoch;
    clearTimeout(this.#timer);
    this.#state = { kind: 'attached' };
    const { spec, deps } = this;
    const options = {
      resumeKey: `${this.id}.${spec.key}.${notice.epoch}`,
      seq: 0,
      startMs: deps.settings.startMs,
      wallMs: spec.wallMs,
      bornMs: this.#bornMs,
    };
    const attachment = this.attach(options, (handlers) => {
      if ('take' in notice) return notice.take(handlers);
      const stream = deps.openStream(notice.address, handlers);
      const { key } = spec;
      stream.send({ kind: 'attach', runId: this.id, key, epoch: notice.epoch, afterSeq: 0, resume: false });
      return stream;
    });
    if ('take' in notice && notice.first !== undefined) attachment.handlers.event(notice.first);
    return true;
  }

  /** The claim was lost, or the queue may have forgotten the run: queues it again, unless a later claim holds it. */
  async requeue(): Promise<Held | undefined> {
    const held = await this.deps.registry.requeue(this.spec, this.#epoch);
    return this.#state.kind === 'queued' && !this.over ? held : undefined;
  }

  /** The worker that held the run by this claim is lost. */
  invalidateClaim(epoch: number): void {
    this.#epoch = Math.max(this.#epoch, epoch);
  }

  protected stopUnattached(): void {
    if (this.#state.kind === 'queued') this.#cancelQueued('stopped');
  }

  protected resumed(): void {
    // Only an attach with `resume` is answered so.
  }

  protected ended(end: RunEnd): void {
    this.end(end);
  }

  /** One that has shown nothing is tried again, on another worker. */
  protected lost(fault: StreamFault | undefined): void {
    const shown = this.attachment === undefined || this.attachment.seq > 0;
    const wanted = this.listener !== undefined && !this.stopRequested;
    const handedBack = fault?.kind === 'handed_back';
    if (!handedBack) this.#losses += 1;
    const end = afterLoss(fault?.kind, { shown, wanted, losses: this.#losses });
    if (end === undefined) return this.#queueAgain(handedBack ? 'handed_back' : 'worker_lost');
    if (end.code === 'poison') {
      const { language } = this.spec;
      this.deps.logger.error(
        { run: this.id, language, losses: this.#losses },
        'run dead-lettered: its workers were lost',
      );
      this.deps.registry
        .deadLetter(this.id, language)
        .catch((error: unknown) => this.warn('dead letter failed', error));
    }
    this.end(end);
  }

  protected closed(outcome: string): void {
    clearTimeout(this.#timer);
    this.deps.metrics.ended(this.spec.language, outcome);
    this.#onEnded(this, this.#claimable);
  }

  #queueAgain(why: 'worker_lost' | 'handed_back'): void {
    this.deps.metrics.requeued(why);
    const nowMs = performance.now();
    this.attachment = undefined;
    this.#state = { kind: 'queued' };
    this.#queuedMs = nowMs;
    const leftMs = this.deps.settings.queueTtlMs - (nowMs - this.#bornMs);
    this.#arm(Math.max(REQUEUED_TTL_MS, leftMs), () => this.#cancelQueued('expired'));
    // One that fails is tried again: the router reconciles runs that are queued for long.
    this.requeue().catch((error: unknown) => this.warn('requeue failed', error));
  }

  #submitted(result: SubmitOutcome): void {
    const nowMs = performance.now();
    this.deps.metrics.stage('submit', (nowMs - this.#bornMs) / 1000);
    if (this.over) {
      // The answer came after the run's time in the queue.
      if (result.outcome === 'ok') void this.#cancel();
      return;
    }
    if (this.#state.kind !== 'submitting') return;
    if (result.outcome !== 'ok') return this.end(refusalEnd(result));
    this.#queued(result.position, nowMs);
    if (this.listener === undefined) this.#cancelQueued('disconnected');
    else if (this.stopRequested) this.#cancelQueued('stopped');
  }

  #submitFailed(error: unknown): void {
    this.warn('submit failed', error);
    if (this.#state.kind !== 'submitting' || this.over) return;
    // Whether Redis has done it is not known: a claim may come, and is refused then.
    this.#endClaimable(errorEnd('unavailable', 'the queue cannot be reached'));
    void this.#cancel();
  }

  #queued(position: number, nowMs: number): void {
    this.#state = { kind: 'queued' };
    this.#queuedMs = nowMs;
    this.listener?.queued(position);
  }

  #cancelQueued(why: Why): void {
    if (this.#state.kind === 'submitting')
      return this.#endClaimable(errorEnd('unavailable', 'the queue did not answer'));
    this.#state = { kind: 'cancelling', why };
    this.#arm(CANCEL_WAIT_MS, () => this.#endClaimable(this.#cancelledEnd()));
    void this.#cancel().then((cancelled) => {
      if (cancelled && this.#state.kind === 'cancelling') this.end(this.#cancelledEnd());
      return undefined;
    });
  }

  /** Whether the run was still queued, and is cancelled now; false also when Redis does not answer. */
  async #cancel(): Promise<boolean> {
    try {
      return await this.deps.registry.cancel(this.id, this.spec.language);
    } catch (error) {
      this.warn('cancel failed', error);
      return false;
    }
  }

  #cancelledEnd(): RunEnd {
    const why = this.#state.kind === 'cancelling' ? this.#state.why : 'disconnected';
    return why === 'expired' ? errorEnd('queue_timeout') : unstartedExit(why);
  }

  #endClaimable(end: RunEnd): void {
    this.#claimable = true;
    this.end(end);
  }

  #arm(delayMs: number, fire: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(fire, delayMs);
  }
}
