// Errors that the user can act on: the message says what is wrong and what to do next.
import { readFileSync } from 'node:fs';

/** The command line was not understood. */
export const EXIT_USAGE = 2;
/** Rungrid itself failed, whatever the program did; docker run and timeout use the same code. */
export const EXIT_FAULT = 125;

export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;

  /** `message` says what is wrong and what to do next. */
  constructor(message: string, options: { exitCode?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.exitCode = options.exitCode ?? EXIT_FAULT;
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The `code` or `errno` name of a system error. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}

/** The text of a file; undefined when it does not exist. */
export function readIfExists(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
