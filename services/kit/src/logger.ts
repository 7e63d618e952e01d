// Structured logs on pino: JSON lines, which escape whatever a stranger sent. Code, stdin, output and tokens are never logged.
import { type DestinationStream, type Logger as PinoLogger, pino } from 'pino';

export type Logger = PinoLogger;
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

export interface LoggerOptions {
  readonly service: string;
  readonly level: LogLevel;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

export function createLogger(options: LoggerOptions): Logger {
  const settings = {
    level: options.level,
    base: { service: options.service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    // A second line of defense: the names under which secrets and strangers' data would travel.
    redact: {
      paths: ['token', 'code', 'stdin', 'key', 'text', '*.token', '*.code', '*.stdin', '*.key', '*.text'],
      censor: '[redacted]',
    },
    serializers: { err: describeError },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}

/** What is logged of an error, chars: messages of libraries may quote what a stranger sent. */
const MAX_MESSAGE_CHARS = 500;
const MAX_STACK_CHARS = 4_000;
const MAX_CAUSES = 3;

/**
 * Name, code, message, stack and causes, and nothing else: a library's error carries more (ioredis' the whole command, so the
 * request with its code; docker-modem's the answer).
 */
function describeError(thrown: unknown, depth = 0): unknown {
  if (!(thrown instanceof Error)) return String(thrown).slice(0, MAX_MESSAGE_CHARS);
  const { code } = thrown as { code?: unknown };
  return {
    type: thrown.name,
    message: thrown.message.slice(0, MAX_MESSAGE_CHARS),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    stack: framesOf(thrown).slice(0, MAX_STACK_CHARS),
    ...(thrown.cause === undefined || depth >= MAX_CAUSES ? {} : { cause: describeError(thrown.cause, depth + 1) }),
  };
}

/** The stack without its first part, which repeats the message at full length. */
function framesOf({ stack = '' }: Error): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');
}
