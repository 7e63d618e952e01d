// Faults that the person at the terminal can do something about: the message says what.

/** The command line was not understood. */
export const EXIT_USAGE = 2;
/** Rungrid itself failed, whatever the program did (as docker run and timeout do it). */
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
