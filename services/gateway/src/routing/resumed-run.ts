// A resumed run's entry: found in the registry, then attached to where its worker holds it.
import { errorEnd } from './ends.js';
import { Run, type RunDeps } from './run.js';
import type { Held, ResumePoint, ResumeRequest, RunEnd, RunListener, StreamFault } from './types.js';

/** How long a worker may take to answer what it holds, ms. */
const ATTACH_MS = 5000;

export interface ResumedRunDeps extends RunDeps {
  readonly onEnded: (run: ResumedRun) => void;
}

export class ResumedRun extends Run {
  readonly #request: ResumeRequest;
  readonly #onEnded: ResumedRunDeps['onEnded'];
  /** What the worker answered. */
  #point: ResumePoint | undefined;

  constructor(request: ResumeRequest, listener: RunListener, deps: ResumedRunDeps) {
    const [id = ''] = request.key.split('.');
    super({ id, listener, deps, stdinClosed: false });
    this.#request = request;
    this.#onEnded = deps.onEnded;
    deps.registry.find(id).then(
      (held) => this.#found(held),
      (error: unknown) => {
        this.warn('resume lookup failed', error);
        this.#refuse('unavailable');
      },
    );
  }

  get movable(): boolean {
    return this.#goesOn;
  }

  /** The client has disconnected again: the run is kept for it as before. */
  abandon(): void {
    this.leave();
  }

  leave(): void {
    if (!this.over) this.leaveToWorker();
  }

  protected stopUnattached(): void {
    // The stop goes out with the attach.
  }

  protected resumed(point: ResumePoint): void {
    this.#point = point;
    if (!this.#goesOn) return;
    this.deps.metrics.resume('resumed');
    this.listener?.resumed({ replayedFrom: point.replayFrom, stdinBytes: point.stdinReceived });
  }

  protected ended(end: RunEnd): void {
    if (this.#goesOn) this.end(end);
    else this.#refuse('unavailable');
  }

  protected lost(fault: StreamFault | undefined): void {
    if (fault?.kind === 'taken_over') this.end(errorEnd('taken_over'));
    else if (this.#goesOn) this.end(errorEnd('worker_lost'));
    else this.#refuse(fault?.kind === 'out_of_range' ? 'resume_gap' : 'resume_failed');
  }

  protected closed(outcome: string): void {
    if (this.#goesOn && this.#point !== undefined) this.deps.metrics.ended(this.#point.language, outcome);
    this.#onEnded(this);
  }

  /** Whether the worker has answered that the run goes on here, without a hole in its events. */
  get #goesOn(): boolean {
    return this.attachment?.started === true;
  }

  #found(held: Held | undefined): void {
    if (this.over) return;
    if (held === undefined) return this.#refuse('resume_failed');
    const { key, after } = this.#request;
    // The registry says where. Which execution the client has seen, its key says: any other is refused.
    const [, secret = '', epoch] = key.split('.');
    // The worker's answer says how much of its wall clock remains.
    const options = { resumeKey: key, seq: after, startMs: ATTACH_MS, wallMs: 0, bornMs: undefined };
    this.attach(options, (handlers) => {
      const stream = this.deps.openStream(held.address, handlers);
      const attach = { runId: this.id, key: secret, epoch: Number(epoch), afterSeq: after, resume: true };
      stream.send({ kind: 'attach', ...attach });
      return stream;
    });
  }

  #refuse(code: 'resume_failed' | 'resume_gap' | 'unavailable'): void {
    if (this.over) return;
    this.deps.metrics.resume(code);
    const { replayFrom } = this.#point ?? {};
    this.end({ ...errorEnd(code), ...(replayFrom === undefined ? {} : { replayFrom }) });
  }
}
