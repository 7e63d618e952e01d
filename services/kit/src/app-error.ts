// One error class with a code of the closed table, and one funnel from whatever was thrown.
import { type ErrorCode, ERRORS } from '@rungrid/proto/errors';

export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  /** When the caller may try again, ms; only with retryable codes. */
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: { retryAfterMs?: number; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.retryAfterMs = options.retryAfterMs;
  }

  get retryable(): boolean {
    return ERRORS[this.code].retryable;
  }

  /** The error itself when it is an AppError; anything else becomes `internal`, with the original as its cause. */
  static from(thrown: unknown): AppError {
    return thrown instanceof AppError ? thrown : new AppError('internal', ERRORS.internal.meaning, { cause: thrown });
  }
}
