// A scripted sandbox for tests: the agent's side of the protocol, the counters and the end.
import { encodeFrame, FromAgent } from '@rungrid/sandbox/agent-frames';
import type { Lease } from '../run/options.js';
import type { Sandbox, SandboxExit, SandboxListener, SandboxUsage } from '../run/ports.js';

/** Nothing spent, nothing refused. */
export const NO_USAGE: SandboxUsage = { cpuMs: 0, memoryPeakBytes: 0, oomKills: 0, pidsRefused: 0 };

export class ScriptedSandbox implements Sandbox {
  readonly id = 'x';
  /** What was sent to PID 1, in order. */
  readonly written: Uint8Array[] = [];
  counters: SandboxUsage = NO_USAGE;
  destroyed = false;
  /** When input was last reported for it. */
  typedMs: number | undefined;
  /** Its byte stream is not read. */
  paused = false;
  exit: (exit: SandboxExit) => void = () => undefined;
  readonly exited = new Promise<SandboxExit>((resolve) => {
    this.exit = resolve;
  });
  #listener: SandboxListener | undefined;

  /** PID 1 sends a frame. */
  says(type: FromAgent, payload: string | Buffer = ''): void {
    this.speaks(encodeFrame(type as never, Buffer.from(payload)));
  }

  /** PID 1 sends bytes, whatever they are. */
  speaks(bytes: Buffer): void {
    this.#listener?.data(bytes);
  }

  /** The byte stream ends. */
  ends(): void {
    this.#listener?.end();
  }

  /** The end of a compile step that made `content`. */
  compiled(content: string): void {
    this.says(FromAgent.ARTIFACT, content);
    const status = Buffer.alloc(32);
    status.writeBigUInt64BE(BigInt(content.length));
    this.says(FromAgent.COMPILED, status);
  }

  /** The end of a compile step that made nothing. `kind` 0: exited with `value`, 1: killed by signal `value`. */
  failed(kind: number, value: number): void {
    this.says(FromAgent.COMPILE_FAILED, Buffer.from([kind, value]));
  }

  lease(): Lease {
    const typed = (nowMs: number): void => {
      this.typedMs = nowMs;
    };
    return { sandbox: this, warm: true, version: '', typed, release: () => void this.destroy() };
  }

  write(bytes: Uint8Array): void {
    this.written.push(bytes);
  }
  listen(listener: SandboxListener): void {
    this.#listener = listener;
  }
  pause(): void {
    this.paused = true;
  }
  resume(): void {
    this.paused = false;
  }
  assign(): void {}
  usage(): SandboxUsage {
    return this.counters;
  }
  async finalUsage(): Promise<SandboxUsage> {
    return this.counters;
  }
  async destroy(): Promise<void> {
    this.destroyed = true;
  }
}
