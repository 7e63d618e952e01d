// Runs other programs: short ones to their end with their output in a log, long ones as processes of their own.
import { spawn } from 'node:child_process';
import { accessSync, closeSync, constants, openSync, readFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { CliError, codeOf } from './errors.js';
import type { Paths } from './paths.js';
import { identify, type ProcessRef, signal } from './process-ref.js';

/** Lines of a log that are shown when something fails. */
const TAIL_LINES = 25;
/** How often a log is looked at for the line that is waited for, ms. */
const POLL_MS = 25;

/** The path of a program: on PATH, or where administrators' programs are (a plain user's PATH lacks those). */
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

/** Opens `NAME.log` afresh; the one before becomes `NAME.log.1`, so that logs of past starts do not pile up. */
export function openLog(paths: Paths, name: string): { path: string; fd: number } {
  const path = join(paths.logs, `${name}.log`);
  try {
    renameSync(path, `${path}.1`);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
  }
  return { path, fd: openSync(path, 'a', 0o600) };
}

/** The last lines of a text file; empty when it is not there. */
export function tail(path: string, lines = TAIL_LINES): string {
  try {
    return readFileSync(path, 'utf8').trimEnd().split('\n').slice(-lines).join('\n');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return '';
    throw error;
  }
}

/** Runs a program to its end. Rejects with CliError, with the end of its output, when it fails. */
export async function runLogged(
  command: readonly [string, ...string[]],
  options: { paths: Paths; log: string; env?: NodeJS.ProcessEnv },
): Promise<void> {
  const [file, ...args] = command;
  const log = openLog(options.paths, options.log);
  const child = spawn(file, args, { stdio: ['ignore', log.fd, log.fd], env: options.env ?? process.env });
  closeSync(log.fd);
  const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (status, signalName) => resolve(status ?? signalName));
  });
  if (code !== 0)
    throw new CliError(`${command.join(' ')} failed (${code}):\n${tail(log.path)}\nThe whole log: ${log.path}`);
}

export interface ServiceStart<T> {
  readonly paths: Paths;
  /** Names its log. */
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  readonly env: NodeJS.ProcessEnv;
  /** Lines with this text are not kept. */
  readonly dropLines?: string;
  /** Asked again and again with the log so far: undefined until it serves, then what is to be known of it. */
  readonly ready: (log: string) => T | undefined | Promise<T | undefined>;
  readonly timeoutMs: number;
}

export interface Started<T> {
  readonly process: ProcessRef;
  readonly ready: T;
}

/** What is written to it goes to the log, but for some lines. The filter ends by itself, with the last process that writes to it. */
function filterInto(logFd: number, dropLines: string): Writable | undefined {
  const grep = spawn('grep', ['--line-buffered', '--invert-match', '--fixed-strings', '--regexp', dropLines], {
    detached: true,
    stdio: ['pipe', logFd, logFd],
  });
  grep.unref();
  return grep.stdin ?? undefined;
}

/** Processes that do not serve yet: nobody else knows of them. */
const starting = new Set<ProcessRef>();

/** Ends what was being started: for a command that is interrupted. */
export function abandonStarts(): void {
  for (const ref of starting) signal(ref, 'SIGTERM');
}

/**
 * Starts a program in a session of its own, so that it outlives this command and a terminal's Ctrl-C, and waits until it serves.
 * Rejects with CliError, with the end of its log, when it ends before or takes too long; it is ended then.
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
    const deadline = performance.now() + options.timeoutMs;
    while (life.ended === undefined && performance.now() < deadline) {
      const ready = await options.ready(readFileSync(log.path, 'utf8'));
      if (ready !== undefined && ref !== undefined) return { process: ref, ready };
      await sleep(POLL_MS);
    }
  } finally {
    if (ref !== undefined) starting.delete(ref);
  }
  if (life.ended === undefined && ref !== undefined) signal(ref, 'SIGTERM');
  const why = life.ended ?? `does not serve after ${options.timeoutMs / 1000} s`;
  throw new CliError(`${options.name} ${why}:\n${tail(log.path)}\nThe whole log: ${log.path}`);
}
