// A service as a child process: starts it, waits for its ready line, keeps the end of its log, ends it by pid.
import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from '@rungrid/testkit/until';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** Log lines kept for a failure's message. */
const KEPT_LINES = 200;
/** Environment variable: a folder in which each process's output is kept whole, as NAME-PID.log. Default: nowhere. */
const LOG_FOLDER = 'RUNGRID_TEST_LOGS';
const children = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class ServiceProcess {
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #name: string;
  readonly #lines: string[] = [];
  #ready: Record<string, unknown> | undefined;
  #exit: Exit | undefined;

  /** `command` is run in the repository's root, with `env` on top of PATH and HOME only. */
  constructor(command: readonly [string, ...string[]], options: { name: string; env: NodeJS.ProcessEnv }) {
    const [file, ...args] = command;
    this.#name = options.name;
    this.#child = spawn(file, args, {
      cwd: ROOT,
      env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(this.#child);
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface({ input: stream }).on('line', (line) => this.#onLine(line));
    }
    this.exited = new Promise((resolve) => {
      const onEnd = (exit: Exit) => {
        this.#exit ??= exit;
        children.delete(this.#child);
        resolve(this.#exit);
      };
      this.#child.once('error', (error) => {
        this.#lines.push(String(error));
        onEnd({ code: -1, signal: null });
      });
      this.#child.once('exit', (code, signal) => onEnd({ code, signal }));
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** The end of what it printed. */
  get log(): string {
    return this.#lines.join('\n');
  }

  /** The fields of its ready line. Rejects with its log when it ends before, or takes too long. */
  async ready(timeoutMs = 60_000): Promise<Record<string, unknown>> {
    await until(() => this.#ready !== undefined || this.#exit !== undefined, {
      what: () => `${this.#name} to be ready; its log:\n${this.log}`,
      timeoutMs,
    });
    if (this.#ready === undefined) throw new Error(`${this.#name} ended before it was ready:\n${this.log}`);
    return this.#ready;
  }

  /** Waits for a line of its output. */
  async line(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    return until(() => this.#lines.find((line) => pattern.test(line)), {
      what: `${this.#name} to print ${pattern}`,
      timeoutMs,
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** SIGTERM, and SIGKILL when it does not end in time. */
  async stop(timeoutMs = 30_000): Promise<Exit> {
    if (this.#exit !== undefined) return this.#exit;
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    try {
      return await this.exited;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resident memory, bytes. */
  rssBytes(): number {
    return rssOf(this.pid);
  }

  #onLine(line: string): void {
    const folder = process.env[LOG_FOLDER];
    if (folder !== undefined)
      appendFileSync(join(folder, `${this.#name.replace(' ', '-')}-${this.pid}.log`), `${line}\n`);
    this.#lines.push(line);
    if (this.#lines.length > KEPT_LINES) this.#lines.shift();
    if (this.#ready !== undefined || !line.startsWith('{')) return;
    const fields = parseObject(line);
    if (fields?.['msg'] === 'ready') this.#ready = fields;
  }
}

/** Resident memory of a process, bytes; 0 when it has ended. */
export function rssOf(pid: number): number {
  try {
    const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return Number(match?.[1] ?? 0) * 1024;
  } catch {
    return 0;
  }
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
