// The interfaces that running a program needs: an engine that makes sandboxes. Nothing in the core knows which engine.
import type { SandboxKind } from '@rungrid/sandbox/languages';

/** The pool key: sandboxes with equal keys are interchangeable. `python`, `python/tty`, `c/compile`. */
export function poolKeyOf(spec: SandboxKind & { readonly language: string }): string {
  const { language } = spec;
  if (spec.class === 'compile') return `${language}/compile`;
  return spec.mode === 'tty' ? `${language}/tty` : language;
}

/** What an engine is asked to make. Everything in it comes from manifests and configuration, never from a request. */
export interface SandboxSpec extends SandboxKind {
  /** Canonical language name, `[a-z0-9+#-]{1,32}`. */
  readonly language: string;
  /** Our image by its immutable id, so that moving a tag changes nothing. */
  readonly image: string;
  /** The agent's arguments: `['--warm', 'python3', …]`, or none. */
  readonly command: readonly string[];
  /** Environment, `KEY=VALUE`. */
  readonly env: readonly string[];
  readonly limits: SandboxLimits;
}

/** Limits that the kernel enforces. */
export interface SandboxLimits {
  /** Memory and swap together, bytes. */
  readonly memoryBytes: number;
  /** CPU quota in CPUs, such as 0.2. */
  readonly cpus: number;
  readonly pids: number;
  /** Size of /tmp, bytes, and its inodes. */
  readonly tmpBytes: number;
  readonly tmpInodes: number;
}

/** Counters of one sandbox, read from outside the program. */
export interface SandboxUsage {
  /** CPU time of all processes that ever lived in the sandbox, milliseconds. */
  readonly cpuMs: number;
  /** Peak memory, bytes. */
  readonly memoryPeakBytes: number;
  /** Processes killed because memory ran out. */
  readonly oomKills: number;
  /** fork/clone calls refused by the process limit. */
  readonly pidsRefused: number;
}

/** Why the byte stream ended. */
export interface SandboxExit {
  /** The engine saw an out-of-memory kill in the sandbox. */
  readonly oom: boolean;
  /** Exit status of PID 1 as the engine reports it; undefined when the engine did not report it. */
  readonly status: number | undefined;
}

/**
 * One sandbox: a started container with a duplex byte stream to its PID 1, which carries the agent protocol. It serves one
 * run and is destroyed.
 */
export interface Sandbox {
  /** Unique among the engine's sandboxes; safe in logs. */
  readonly id: string;
  /** Writes to PID 1's stdin. Bounded by the agent protocol's window, so the result is not needed. No-op after the end. */
  write(bytes: Uint8Array): void;
  /** Sets the stream's listener; bytes that arrived before are delivered first, in the same turn. A later call replaces it. */
  listen(listener: SandboxListener): void;
  /** Stops and resumes reading, so that back-pressure reaches the program's write(). */
  pause(): void;
  resume(): void;
  /** Settles when the stream has ended and the engine has reported why. Never rejects. */
  readonly exited: Promise<SandboxExit>;
  /** Current counters; undefined once the cgroup is removed. Cheap and synchronous where the cgroup is readable. */
  usage(): SandboxUsage | undefined;
  /** The same, falling back to the engine's slower interface. Undefined once the sandbox is removed. Never rejects. */
  finalUsage(): Promise<SandboxUsage | undefined>;
  /** Records the run's id and deadline with the engine, for a reaper that knows nothing else. In the background. */
  assign(run: { runId: string; deadlineMs: number }): void;
  /** Kills and removes it, whatever its state; idempotent; settles once it is removed. Rejects only with EngineError. */
  destroy(): Promise<void>;
}

export interface SandboxListener {
  /** A chunk of PID 1's stdout. Valid during the call only unless copied. */
  data(chunk: Buffer): void;
  /** The stream has ended: no more data. */
  end(): void;
}

/** Makes sandboxes. Every call has a deadline of its own and rejects with EngineError past it. */
export interface Engine {
  /** Name for metrics and hello: "docker". */
  readonly name: string;
  /** Checks that the engine answers; rejects with EngineError, at the latest after `timeoutMs` (default: the deadline of all calls). */
  ping(options?: { timeoutMs?: number }): Promise<void>;
  /** Creates, attaches, then starts a sandbox. Its PID 1 may not be READY yet. */
  create(spec: SandboxSpec): Promise<Sandbox>;
  /** The immutable id of the image with this name; undefined when it does not exist. */
  imageId(image: string): Promise<string | undefined>;
  /** Engine, its version, the kernel: a self-test stays valid while this is unchanged. Rejects with EngineError. */
  identity(): Promise<string>;
  /**
   * Removes orphaned sandboxes: those of workers for which `isAlive` returns false, and any one past its deadline.
   * Returns how many. The caller's own live sandboxes are only removed past their deadline.
   */
  reap(isAlive: (workerId: string) => Promise<boolean>): Promise<number>;
  /** Destroys everything this instance made and closes its connections. */
  close(): Promise<void>;
}

/** An engine call that failed or ran past its deadline. */
export class EngineError extends Error {
  override readonly name = 'EngineError';
  /** Whether the same call may work on another try. */
  readonly retryable: boolean;

  constructor(message: string, options: { retryable: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.retryable = options.retryable;
  }
}
