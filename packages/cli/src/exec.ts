// Runs other programs: short ones to completion with a log, interactive ones on this terminal, services detached.
import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, closeSync, constants, existsSync, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { CliError, readIfExists } from './errors.js';
import { type Paths, ROOT } from './paths.js';
import { poll } from './poll.js';
import { identify, type ProcessRef, signal } from './process-ref.js';

/** How many lines of a log an error message shows. */
const TAIL_LINES = 25;
/** How often startService() checks whether the service is ready, ms. */
const POLL_MS = 25;

/** The path of a program on PATH or in the sbin folders, which an unprivileged user's PATH lacks. */
export function which(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Opens a new `NAME.log`; the previous one becomes `NAME.log.1`, so that old logs do not accumulate. */
function openLog(paths: Paths, name: string): { path: string; fd: number } {
  const path = join(paths.logs, `${name}.log`);
  if (existsSync(path)) renameSync(path, `${path}.1`);
  return { path, fd: openSync(path, 'a', 0o600) };
}

/** The last lines of a text file; empty when it does not exist. */
export function tail(path: string, lines = TAIL_LINES): string {
  return (readIfExists(path) ?? '').trimEnd().split('\n').slice(-lines).join('\n');
}

/** Runs a program to completion. Rejects with CliError, with the last lines of its output, when it fails. */
export async function runLogged(
  command: readonly [string, ...string[]],
  options: { paths: Paths; log: string; env?: NodeJS.ProcessEnv },
): Promise<void> {
  const [file, ...args] = command;
  const log = openLog(options.paths, options.log);
  const child = spawn(file, args, { stdio: ['ignore', log.fd, log.fd], env: options.env ?? process.env });
  closeSync(log.fd);
  const code = await exitOf(child);
  if (code !== 0)
    throw new CliError(`${command.join(' ')} failed (${code}):\n${tail(log.path)}\nFull log: ${log.path}`);
}

/**
 * Runs a program in the project's folder, on this terminal, and returns its exit code. A terminal sends Ctrl-C to both processes:
 * the program cleans up and ends, then this one does. SIGTERM is forwarded.
 */
export async function runAttached(
  command: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = process.env,
): Promise<number> {
  const [file, ...args] = command;
  const child = spawn(file, args, { stdio: 'inherit', env, cwd: ROOT });
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  const code = await exitOf(child);
  return typeof code === 'number' ? code : 1;
}

/** The entry of another package, as a command. Throws CliError when it is not built. */
export function builtEntry(...path: string[]): [string, string] {
  const main = join(ROOT, ...path);
  if (!existsSync(main)) throw new CliError(`${main} is missing. Run ./rungrid help once: it builds the project.`);
  return [process.execPath, main];
}

function exitOf(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signalName) => resolve(status ?? signalName));
  });
}

export interface ServiceStart<T> {
  readonly paths: Paths;
  /** Name of its log. */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  /** Lines that contain this text are dropped from the log. */
  readonly dropLines?: string;
  /** Polled with the log so far: undefined until the service is ready, then what is known about it. */
  readonly ready: (log: string) => T | undefined | Promise<T | undefined>;
  readonly timeoutMs: number;
}

export interface Started<T> {
  readonly process: ProcessRef;
  readonly ready: T;
}

/** A stream into the log that drops some lines. The filter ends with the last process that writes to it. */
function filterInto(logFd: number, dropLines: string): Writable | undefined {
  const grep = spawn('grep', ['--line-buffered', '--invert-match', '--fixed-strings', '--regexp', dropLines], {
    detached: true,
    stdio: ['pipe', logFd, logFd],
  });
  grep.unref();
  return grep.stdin ?? undefined;
}

/** Processes that are not ready yet, so that no state file names them. */
const starting = new Set<ProcessRef>();

/** Ends the processes that are being started, when the command is interrupted. */
export function abandonStarts(): void {
  for (const ref of starting) signal(ref, 'SIGTERM');
}

/**
 * Starts a program in a session of its own, so that it outlives this command and a terminal's Ctrl-C, and waits until it is ready.
 * Rejects with CliError, with the last lines of its log, when it ends early or takes too long; it is then terminated.
 */
export async function startService<T>(options: ServiceStart<T>): Promise<Started<T>> {
  const log = openLog(options.paths, options.name);
  const [file, ...args] = options.command;
  const filter = options.dropLines === undefined ? undefined : filterInto(log.fd, options.dropLines);
  const output = filter ?? log.fd;
  const child = spawn(file, args, {
    detached: true,
    stdio: ['ignore', output, output],
    env: options.env,
    cwd: options.paths.state,
  });
  closeSync(log.fd);
  filter?.destroy();
  const life: { ended?: string } = {};
  child.once('error', (error) => {
    life.ended ??= error.message;
  });
  child.once('exit', (code, signalName) => {
    life.ended ??= `ended with ${code ?? signalName}`;
  });
  child.unref();
  const ref = child.pid === undefined ? undefined : identify(child.pid);
  if (ref !== undefined) starting.add(ref);
  try {
    const outcome = await poll(
      async () => {
        if (life.ended !== undefined) return life.ended;
        const ready = await options.ready(readFileSync(log.path, 'utf8'));
        return ready === undefined || ref === undefined ? undefined : { process: ref, ready };
      },
      { timeoutMs: options.timeoutMs, everyMs: POLL_MS },
    );
    if (typeof outcome === 'object') return outcome;
  } finally {
    if (ref !== undefined) starting.delete(ref);
  }
  if (life.ended === undefined && ref !== undefined) signal(ref, 'SIGTERM');
  const why = life.ended ?? `was not ready after ${options.timeoutMs / 1000} s`;
  throw new CliError(`${options.name} ${why}:\n${tail(log.path)}\nFull log: ${log.path}`);
}
