// One run, from submitting the program to its one terminal event. It owns its sandbox, its timers and its outcome.
import type { SignalName } from '@rungrid/proto/limits';
import { type EndReason, SIGNALS } from '@rungrid/proto/limits';
import type { ErrorCode } from '@rungrid/proto/errors';
import { nowUs, steadyNowMs } from '@rungrid/kit/clock';
import {
  AgentFrameDecoder,
  encodeFrame,
  encodeSize,
  FromAgent,
  type TerminalSize,
  ToAgent,
} from '@rungrid/sandbox/agent-frames';
import { type AgentEnd, decodeExit, decodeStdinAck } from '@rungrid/sandbox/agent-status';
import { Subscription } from '../subscription/subscription.js';
import { OutputThrottle } from '../output/throttle.js';
import type { ResumePoint, RunEvent, Usage } from './events.js';
import { type LastCounters, type Outcome, outcomeOfExit } from './outcome.js';
import type { Lease, RunOptions } from './options.js';
import type { SandboxUsage } from './ports.js';
import { Meter } from './meter.js';
import { type OutputStream, OutputPump } from '../output/pump.js';
import { StdinWindow } from './stdin-window.js';

/** From submitting the program to its start, ms: generous for a fifth of a core on a busy machine. */
const START_TIMEOUT_MS = 10_000;

/** Signals kept for a program that has not started; more are dropped. */
const MAX_EARLY_SIGNALS = 8;

export class Run {
  readonly id: string;
  readonly key: string;
  readonly language: string;
  readonly #options: RunOptions;
  readonly #subscription: Subscription;
  readonly #pump: OutputPump;
  readonly #compilePump: OutputPump;
  readonly #throttle: OutputThrottle;
  readonly #stdin: StdinWindow;
  readonly #decoder = new AgentFrameDecoder();
  #epoch = 0;
  #lease: Lease | undefined;
  #meter: Meter | undefined;
  #state: 'waiting' | 'preparing' | 'running' | 'ended' = 'waiting';
  #ending = false;
  #submittedUs = 0;
  #startedMs = 0;
  #activeMs = 0;
  #sawOutput = false;
  #earlySignals: SignalName[] = [];
  #size: TerminalSize | undefined;
  #wallTimer: NodeJS.Timeout | undefined;

  constructor(options: RunOptions) {
    this.#options = options;
    ({ id: this.id, key: this.key, language: this.language } = options);
    this.#throttle = new OutputThrottle(options.outputBudget);
    this.#subscription = new Subscription({
      ...options,
      onHold: (held) => this.#throttle.hold(held),
      onExpired: () => this.stop('disconnected'),
      onDetached: (detached) => options.observer.detached(detached ? () => this.#subscription.expire() : undefined),
      onKept: () => options.observer.kept(() => this.#subscription.close()),
      onClosed: () => options.observer.closed(),
    });
    const onLimit = () => this.#finish('output_limit');
    this.#pump = new OutputPump({
      limitBytes: options.limits.outputBytes,
      emit: (type, bytes) => this.#subscription.add({ type, bytes }),
      onLimit,
    });
    this.#compilePump = new OutputPump({
      limitBytes: Number.POSITIVE_INFINITY, // bounded by the compiler step
      emit: (_, bytes) => this.#subscription.add({ type: 'compile', bytes }),
      onLimit: () => undefined,
    });
    this.#stdin = new StdinWindow({
      send: (bytes) => this.#toAgent(ToAgent.STDIN, bytes),
      close: () => this.#toAgent(ToAgent.STDIN_CLOSE),
    });
  }

  /** Epoch of the claim; 0 until it is claimed. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The claim succeeded: frames of this epoch count from now on. */
  claimed(epoch: number): void {
    this.#epoch = epoch;
  }

  /** Forwards compiler output, while the run waits for its sandbox. */
  compilerOutput(bytes: Buffer): void {
    if (this.#state === 'waiting') this.#compilePump.push('stdout', bytes);
  }

  /** The program does not compile, or a limit ended the compiler. */
  notCompiled(outcome: Outcome): void {
    this.#compilePump.end();
    this.#endWith(() => outcome);
  }

  /** Submits the program (agent frames, START last) to its sandbox. A run that has ended releases the sandbox. */
  begin(lease: Lease, frames: readonly Uint8Array[]): void {
    if (this.#state !== 'waiting') {
      lease.release();
      return;
    }
    this.#compilePump.end();
    this.#lease = lease;
    this.#throttle.bind(lease.sandbox);
    this.#meter = new Meter(lease.sandbox);
    this.#state = 'preparing';
    lease.sandbox.listen({ data: (chunk) => this.#onData(chunk), end: () => void this.#onSandboxEnd() });
    for (const frame of frames) lease.sandbox.write(frame);
    if (this.#size !== undefined) this.#toAgent(ToAgent.RESIZE, encodeSize(this.#size));
    this.#submittedUs = nowUs();
    if (this.#options.stdin !== undefined) this.#stdin.preset(this.#options.stdin);
    this.#stdin.open();
    this.#activeMs = performance.now();
    // Off the critical path: the claim is sent in this turn, and no frame can arrive before the next.
    setImmediate(() => this.#begun(lease));
  }

  #begun(lease: Lease): void {
    if (this.#state !== 'preparing') return;
    this.#meter?.rebase();
    this.#wallTimer = setTimeout(
      () => this.fail('start_failed', 'the sandbox did not start the program in time'),
      START_TIMEOUT_MS,
    );
    lease.sandbox.assign({
      runId: this.id,
      deadlineMs: steadyNowMs() + START_TIMEOUT_MS + this.#options.limits.wallMs,
    });
  }

  get subscription(): Subscription {
    return this.#subscription;
  }

  /** Where a client that resumes after `afterSeq` continues; undefined: it has received the run's end. */
  resumePoint(afterSeq: number): ResumePoint | undefined {
    if (this.#subscription.isLast(afterSeq)) return undefined;
    const elapsedMs = this.#startedMs === 0 ? 0 : performance.now() - this.#startedMs;
    return {
      replayFrom: Math.max(afterSeq + 1, this.#subscription.firstSeq),
      stdinReceived: this.#stdin.receivedBytes,
      stdinUnread: this.#stdin.unreadBytes,
      wallLeftMs: Math.max(0, Math.round(this.#options.limits.wallMs - elapsedMs)),
      language: this.language,
    };
  }

  /** false: past the stdin window, and none of it was accepted. */
  writeStdin(bytes: Buffer): boolean {
    this.#activeMs = performance.now();
    this.#lease?.typed(this.#activeMs);
    this.#pump.expectAnswer();
    return this.#stdin.write(bytes);
  }

  closeStdin(): void {
    this.#stdin.close();
  }

  /** Signals the program's processes; a signal before the start is kept until then. */
  signal(name: SignalName): void {
    if (this.#state === 'running') this.#toAgent(ToAgent.SIGNAL, Buffer.from([SIGNALS[name]]));
    else if (this.#earlySignals.length < MAX_EARLY_SIGNALS) this.#earlySignals.push(name);
  }

  /** New size of its terminal; a size that comes before the sandbox is kept until then. No effect on pipes. */
  resize(size: TerminalSize): void {
    this.#size = size;
    this.#toAgent(ToAgent.RESIZE, encodeSize(size));
  }

  /** Ends it now, whatever its state. */
  stop(reason: 'stopped' | 'disconnected'): void {
    this.#finish(reason);
  }

  /** Ends it with an error that is not the program's. */
  fail(code: ErrorCode, message: string): void {
    this.#end({ type: 'error', code, message });
  }

  /** The claim was refused: the run ends without an event, because another worker reports it. */
  abandon(): void {
    if (this.#state !== 'ended') {
      this.#release();
      this.#options.observer.ended('abandoned');
    }
    this.#subscription.close();
  }

  /** Checks the limits that no timer of the run covers. `nowMs`: on performance.now()'s clock. */
  checkLimits(nowMs: number): void {
    const { limits } = this.#options;
    if (this.#state !== 'running' && this.#state !== 'preparing') return;
    if (nowMs - this.#activeMs >= limits.idleMs) return this.#finish('idle_limit');
    if (this.#state === 'running' && nowMs - this.#startedMs >= limits.wallMs) return this.#finish('wall_limit');
    const passed = this.#meter?.look(limits);
    if (passed !== undefined) this.#finish(passed);
  }

  #toAgent(type: ToAgent, payload?: Buffer): void {
    this.#lease?.sandbox.write(encodeFrame(type, payload));
  }

  #onData(chunk: Buffer): void {
    if (this.#state === 'ended') return;
    try {
      this.#decoder.push(chunk, (type, payload) => this.#onFrame(type, payload));
    } catch (error) {
      // Only our agent writes this stream, so a bad frame is an internal error.
      this.fail('internal', error instanceof Error ? error.message : 'bad agent frame');
    }
    this.#throttle.consume(chunk.length);
  }

  #onFrame(type: FromAgent, payload: Buffer): void {
    if (this.#state === 'ended') return;
    switch (type) {
      case FromAgent.STDOUT:
        return this.#onOutput('stdout', payload);
      case FromAgent.STDERR:
        return this.#onOutput('stderr', payload);
      case FromAgent.STARTED:
        return this.#onStarted();
      case FromAgent.STDIN_ACK:
        return this.#subscription.stdinConsumed(this.#stdin.acknowledge(decodeStdinAck(payload)));
      case FromAgent.EXIT:
        return this.#onExit(decodeExit(payload).end);
      case FromAgent.FAULT:
        return this.fail(
          this.#state === 'running' ? 'internal' : 'start_failed',
          `sandbox: ${payload.toString('utf8', 0, 200)}`,
        );
      case FromAgent.READY:
      case FromAgent.COMPILE:
      case FromAgent.COMPILE_FAILED:
      case FromAgent.ARTIFACT:
      case FromAgent.COMPILED:
        return this.fail('internal', `unexpected agent frame ${type}`);
    }
  }

  #onStarted(): void {
    this.#state = 'running';
    const { version: reported, warm } = this.#lease as Lease;
    const version = reported === '' ? this.#options.version : reported;
    this.#subscription.add({ type: 'started', language: this.language, version, warm, atUs: nowUs() });
    this.#options.observer.started(nowUs() - this.#submittedUs);
    this.#startedMs = this.#activeMs = performance.now();
    clearTimeout(this.#wallTimer);
    this.#wallTimer = setTimeout(() => this.#finish('wall_limit'), this.#options.limits.wallMs);
    for (const name of this.#earlySignals.splice(0)) this.signal(name);
  }

  #onOutput(stream: OutputStream, payload: Buffer): void {
    this.#pump.push(stream, payload);
    this.#activeMs = performance.now();
    if (this.#sawOutput) return;
    this.#sawOutput = true;
    this.#options.observer.firstOutput(nowUs() - this.#submittedUs);
  }

  #onExit(status: AgentEnd): void {
    this.#pump.end();
    this.#endWith((counters) => outcomeOfExit(status, counters));
  }

  /** The byte stream ended without a last frame: PID 1 was killed with everything else. */
  async #onSandboxEnd(): Promise<void> {
    // Before the engine removes the counters. With gVisor either limit kills the whole sandbox.
    this.#meter?.look({ cpuMs: Number.POSITIVE_INFINITY });
    const exit = await this.#lease?.sandbox.exited;
    if (this.#state === 'ended') return;
    if (exit?.oom === true || this.#meter?.sawOom === true) this.#finish('memory_limit');
    else if (this.#meter?.sawRefusal === true) this.#finish('process_limit');
    else if (this.#state === 'running') this.fail('worker_lost', 'the sandbox was lost');
    else this.fail('start_failed', 'the sandbox ended before the program started');
  }

  /** A limit or the client ends it: everything in the sandbox dies, and that is the outcome. */
  #finish(reason: EndReason): void {
    this.#pump.end();
    this.#endWith(() => ({ reason, code: undefined, signal: undefined }));
    // Its removal may be queued behind others: kill the program now, so that it does not run on meanwhile.
    this.#toAgent(ToAgent.KILL);
  }

  #endWith(outcome: (counters: LastCounters) => Outcome): void {
    if (this.#ending || this.#state === 'ended') return;
    this.#ending = true;
    const endedMs = performance.now();
    const exit = (last: SandboxUsage | undefined) => {
      const counters = this.#meter?.counters(last) ?? { oomKills: 0, pidsRefused: 0 };
      const usage = this.#usage(last, endedMs);
      this.#end({ type: 'exit', ...outcome(counters), usage, truncated: this.#pump.truncated });
    };
    if (this.#meter === undefined) exit(undefined);
    else this.#meter.final(exit);
  }

  #end(event: RunEvent): void {
    if (this.#state === 'ended') return;
    this.#release();
    this.#options.observer.ended(
      event.type === 'exit' ? event.reason : event.type === 'error' ? event.code : event.type,
    );
    this.#subscription.add(event);
  }

  #release(): void {
    this.#pump.end();
    this.#compilePump.end();
    this.#state = 'ended';
    clearTimeout(this.#wallTimer);
    this.#throttle.release();
    this.#lease?.release();
  }

  #usage(usage: SandboxUsage | undefined, endedMs: number): Usage {
    return {
      wallMs: this.#startedMs === 0 ? 0 : Math.round(endedMs - this.#startedMs),
      cpuMs: this.#meter?.cpuMs(usage) ?? 0,
      memoryBytes: usage?.memoryPeakBytes ?? 0,
      outputBytes: this.#pump.bytes,
    };
  }
}
