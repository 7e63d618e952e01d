// One run as a client sees it: its events, its output, its end, and the rules that hold for every run.
import type { ServerEvents, ServerFrame } from '@rungrid/proto/frames';
import type { SignalName } from '@rungrid/proto/limits';
import { until } from '@rungrid/testkit/until';

export type RunFrame = Extract<
  ServerFrame,
  { event: 'queued' | 'resumed' | 'started' | 'compile' | 'stdout' | 'stderr' | 'exit' | 'error' }
>;
export type EndFrame = Extract<ServerFrame, { event: 'exit' | 'error' }>;

export interface RunTransport {
  send(event: string, data: unknown): void;
  isClosed(): boolean;
  describe(): string;
}

/** How long a run may take to end or to say something by default, ms. */
const PATIENCE_MS = 20_000;

export class RunHandle {
  readonly name: string | undefined;
  readonly events: RunFrame[] = [];
  /** When each of `events` came, ms of performance.now(). */
  readonly timesMs: number[] = [];
  readonly #transport: RunTransport;
  /** Of a run that was resumed: the last seq that was seen before. */
  readonly #after: number | undefined;
  #stdout = '';
  #stderr = '';
  #compile = '';

  constructor(name: string | undefined, transport: RunTransport, after?: number) {
    this.name = name;
    this.#transport = transport;
    this.#after = after;
  }

  /** The last seq that came. */
  get seq(): number {
    return this.events.reduce((last, frame) => ('seq' in frame.data ? frame.data.seq : last), this.#after ?? 0);
  }
  /** The key to resume it with. Throws before `started`. */
  get resumeKey(): string {
    const started = this.events.find((frame) => frame.event === 'started');
    if (started?.event !== 'started') throw new Error(`it has not started; ${this.describe()}`);
    return started.data.resume_key;
  }

  get stdout(): string {
    return this.#stdout;
  }
  get stderr(): string {
    return this.#stderr;
  }
  get compileText(): string {
    return this.#compile;
  }
  get ended(): EndFrame | undefined {
    return this.events.find((frame): frame is EndFrame => isEnd(frame));
  }

  /** Records a frame of this run. */
  take(frame: RunFrame): void {
    this.events.push(frame);
    this.timesMs.push(performance.now());
    if (frame.event === 'stdout') this.#stdout += frame.data.text;
    if (frame.event === 'stderr') this.#stderr += frame.data.text;
    if (frame.event === 'compile') this.#compile += frame.data.text;
  }

  stdin(text: string): void {
    this.send('stdin', { text });
  }
  eof(): void {
    this.send('stdin_close', {});
  }
  stop(): void {
    this.send('stop', {});
  }
  signal(name: SignalName): void {
    this.send('signal', { name });
  }
  send(event: string, data: Record<string, unknown>): void {
    this.#transport.send(event, this.name === undefined ? data : { ...data, run: this.name });
  }

  /** Waits until stdout holds `text` (or matches). */
  async output(text: string | RegExp, timeoutMs = PATIENCE_MS): Promise<string> {
    const has = () => (typeof text === 'string' ? this.#stdout.includes(text) : text.test(this.#stdout));
    await until(() => has() || this.ended !== undefined || this.#transport.isClosed(), {
      what: () => `stdout ${String(text)}; ${this.describe()}`,
      timeoutMs,
    });
    if (!has()) throw new Error(`the run ended without stdout ${String(text)}; ${this.describe()}`);
    return this.#stdout;
  }

  async started(timeoutMs = PATIENCE_MS): Promise<ServerEvents['started']> {
    const frame = await until(() => this.events.find((entry) => entry.event === 'started') ?? this.ended, {
      what: () => `the run to start; ${this.describe()}`,
      timeoutMs,
    });
    if (frame.event !== 'started') throw new Error(`the run ended before it started; ${this.describe()}`);
    return frame.data;
  }

  /** The terminal event, whichever it is. */
  async end(timeoutMs = PATIENCE_MS): Promise<EndFrame> {
    const frame = await until(() => this.ended, { what: () => `the run to end; ${this.describe()}`, timeoutMs });
    this.check();
    return frame;
  }

  /** The `exit` event. Rejects when the run ends with `error`. */
  async exit(timeoutMs = PATIENCE_MS): Promise<ServerEvents['exit']> {
    const frame = await this.end(timeoutMs);
    if (frame.event !== 'exit') throw new Error(`the run ended by an error; ${this.describe()}`);
    return frame.data;
  }

  /** The run-level `error` event. Rejects when the run exits. */
  async error(timeoutMs = PATIENCE_MS): Promise<ServerEvents['error']> {
    const frame = await this.end(timeoutMs);
    if (frame.event !== 'error') throw new Error(`the run exited instead; ${this.describe()}`);
    return frame.data;
  }

  /** The rules of every run: seq counts from 1 (resumed: from where it was) without a gap, output is after started, one terminal event, nothing behind it. */
  check(): void {
    const faults: string[] = [];
    const seqs = this.events.flatMap((frame) => ('seq' in frame.data ? [frame.data.seq] : []));
    const seen = this.#after ?? 0;
    if (seqs.some((seq, index) => seq !== seen + index + 1)) faults.push(`seq is ${seqs.slice(0, 20).join(',')}…`);
    const end = this.events.findIndex((frame) => isEnd(frame));
    if (end !== -1 && end !== this.events.length - 1) faults.push('there are events after the terminal one');
    if (this.#after === undefined) faults.push(...this.#startFaults());
    else if (seqs.length > 0 && this.events[0]?.event !== 'resumed') faults.push('events came before resumed');
    if (faults.length > 0) throw new Error(`${faults.join('; ')}; ${this.describe()}`);
  }

  #startFaults(): string[] {
    const faults: string[] = [];
    const first = this.events.findIndex((frame) => frame.event === 'stdout' || frame.event === 'stderr');
    const started = this.events.findIndex((frame) => frame.event === 'started');
    if (first !== -1 && (started === -1 || first < started)) faults.push('output came before started');
    const queued = this.events.findIndex((frame) => frame.event === 'queued');
    if (started !== -1 && (queued === -1 || queued > started)) faults.push('started came without queued before it');
    return faults;
  }

  describe(): string {
    const events = this.events.slice(-6).map((frame) => JSON.stringify(frame).slice(0, 300));
    return `run ${this.name ?? '(unnamed)'}, last events: ${events.join(' ')}; ${this.#transport.describe()}`;
  }
}

/** Errors about one frame of a live run, after which it goes on. */
const PASSING = new Set(['stdin_full', 'invalid_frame', 'no_such_run', 'unknown_event', 'run_in_progress']);

export function isEnd(frame: RunFrame): frame is EndFrame {
  return frame.event === 'exit' || (frame.event === 'error' && !PASSING.has(frame.data.code));
}
