// One compile step in its sandbox: sends the sources, collects diagnostics and artifact, and decides the outcome from counters.
import { steadyNowMs } from '@rungrid/kit/clock';
import { type AgentEnd, decodeCompiled, decodeEnd } from '@rungrid/sandbox/agent-status';
import { AgentFrameDecoder, FromAgent } from '@rungrid/sandbox/agent-frames';
import type { CompileResult } from '../run/artifacts.js';
import { Meter } from '../run/meter.js';
import type { Lease } from '../run/options.js';
import { outcomeOfCompile, signalName } from '../run/outcome.js';
import { DIAGNOSTICS_MAX_BYTES } from './ports.js';

export interface CompileOrder {
  /** The START frame. */
  readonly start: Buffer;
  /** Largest artifact, bytes. */
  readonly maxBytes: number;
  /** From START to the last frame, ms. */
  readonly wallMs: number;
  /** Written to the container name with a deadline, where the reaper finds it. */
  readonly id: string;
}

/** Settles with the result, after releasing the sandbox. Never rejects. `signal`: the last follower left. */
export function compileIn(
  lease: Lease,
  order: CompileOrder,
  how: { onDiagnostics: (bytes: Buffer) => void; signal: AbortSignal },
): Promise<CompileResult> {
  return new Promise((resolve) => {
    const step = new CompileRun(lease, order, {
      onDiagnostics: how.onDiagnostics,
      settle: (result) => {
        how.signal.removeEventListener('abort', abandon);
        resolve(result);
      },
    });
    const abandon = (): void => step.abandon();
    how.signal.addEventListener('abort', abandon, { once: true });
    if (how.signal.aborted) abandon();
    else step.begin();
  });
}

interface Hooks {
  readonly onDiagnostics: (bytes: Buffer) => void;
  readonly settle: (result: CompileResult) => void;
}

class CompileRun {
  readonly #lease: Lease;
  readonly #order: CompileOrder;
  readonly #hooks: Hooks;
  readonly #decoder = new AgentFrameDecoder();
  readonly #meter: Meter;
  readonly #diagnostics: Buffer[] = [];
  #diagnosticBytes = 0;
  readonly #artifact: Buffer[] = [];
  #artifactBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #over = false;

  constructor(lease: Lease, order: CompileOrder, hooks: Hooks) {
    this.#lease = lease;
    this.#order = order;
    this.#hooks = hooks;
    this.#meter = new Meter(lease.sandbox);
  }

  begin(): void {
    const { sandbox } = this.#lease;
    const { start, wallMs, id } = this.#order;
    sandbox.listen({ data: (chunk) => this.#onData(chunk), end: () => void this.#onSandboxEnd() });
    sandbox.write(start);
    this.#meter.rebase();
    this.#timer = setTimeout(() => this.#onTimeout(), wallMs);
    sandbox.assign({ runId: id, deadlineMs: steadyNowMs() + wallMs });
  }

  abandon(): void {
    this.#end({ kind: 'fault', code: 'internal', message: 'the last run waiting for it left' });
  }

  #onData(chunk: Buffer): void {
    if (this.#over) return;
    try {
      this.#decoder.push(chunk, (type, payload) => this.#onFrame(type, payload));
    } catch (error) {
      // Only our agent writes this stream, so a bad frame is an internal error.
      this.#fail('internal', error instanceof Error ? error.message : 'bad agent frame');
    }
  }

  #onFrame(type: FromAgent, payload: Buffer): void {
    if (this.#over) return;
    switch (type) {
      case FromAgent.COMPILE:
        return this.#say(Buffer.from(payload));
      case FromAgent.ARTIFACT:
        return this.#take(Buffer.from(payload));
      case FromAgent.COMPILED:
        return this.#onCompiled(decodeCompiled(payload).bytes);
      case FromAgent.COMPILE_FAILED:
        return this.#onFailed(decodeEnd(payload));
      case FromAgent.FAULT:
        return this.#fail('start_failed', `compile sandbox: ${payload.toString('utf8', 0, 200)}`);
      case FromAgent.READY:
      case FromAgent.STARTED:
      case FromAgent.STDOUT:
      case FromAgent.STDERR:
      case FromAgent.STDIN_ACK:
      case FromAgent.EXIT:
        return this.#fail('internal', `unexpected frame ${type} from a compile sandbox`);
    }
  }

  #say(bytes: Buffer): void {
    const taken = bytes.subarray(0, DIAGNOSTICS_MAX_BYTES - this.#diagnosticBytes);
    if (taken.length === 0) return;
    this.#diagnosticBytes += taken.length;
    this.#diagnostics.push(taken);
    this.#hooks.onDiagnostics(taken);
  }

  #take(bytes: Buffer): void {
    this.#artifactBytes += bytes.length;
    if (this.#artifactBytes > this.#order.maxBytes) {
      this.#say(Buffer.from(`the compiled program is larger than ${this.#order.maxBytes} bytes\n`));
      return this.#refuse({ reason: 'compile_error', code: undefined, signal: undefined }, { final: true });
    }
    this.#artifact.push(bytes);
  }

  #onCompiled(bytes: number): void {
    if (bytes !== this.#artifactBytes) return this.#fail('internal', 'the artifact is incomplete');
    const content = Buffer.concat(this.#artifact);
    this.#end({ kind: 'compiled', artifact: { content, diagnostics: Buffer.concat(this.#diagnostics) } });
  }

  #onFailed(status: AgentEnd): void {
    if (status.kind === 'signaled') this.#say(Buffer.from(`compiler killed by ${signalName(status.signo)}\n`));
    this.#meter.final((usage) => {
      const counters = this.#meter.counters(usage);
      const outcome = outcomeOfCompile(status, counters);
      // A limit or a signal may not strike again: such a result is not final.
      const final = status.kind === 'exited' && outcome.reason === 'compile_error' && counters.pidsRefused === 0;
      this.#refuse(outcome, { final });
    });
  }

  #onTimeout(): void {
    this.#say(Buffer.from(`the compile step took longer than ${this.#order.wallMs} ms\n`));
    this.#refuse({ reason: 'compile_error', code: undefined, signal: undefined }, { final: false });
  }

  /** The byte stream ended without a last frame: PID 1 was killed with everything else. */
  async #onSandboxEnd(): Promise<void> {
    this.#meter.look({ cpuMs: Number.POSITIVE_INFINITY });
    const exit = await this.#lease.sandbox.exited;
    if (this.#over) return;
    if (exit.oom || this.#meter.sawOom) {
      this.#refuse({ reason: 'memory_limit', code: undefined, signal: undefined }, { final: false });
    } else this.#fail('start_failed', 'the compile sandbox was lost');
  }

  #refuse(outcome: Extract<CompileResult, { kind: 'refused' }>['outcome'], { final }: { final: boolean }): void {
    this.#end({ kind: 'refused', outcome, diagnostics: Buffer.concat(this.#diagnostics), final });
  }

  #fail(code: Extract<CompileResult, { kind: 'fault' }>['code'], message: string): void {
    this.#end({ kind: 'fault', code, message });
  }

  #end(result: CompileResult): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    this.#lease.release();
    this.#hooks.settle(result);
  }
}
