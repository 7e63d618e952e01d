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
    formatters: { log: redact },
    serializers: { err: describeError },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}

/** A second line of defense: the names under which secrets and visitors' data would travel, at the top and one level below. */
const SECRET_NAMES = new Set(['token', 'code', 'stdin', 'key', 'text']);

/** pino's own `redact` cannot spare an error's code, such as ECONNREFUSED, which is what an operator searches for. */
function redact(fields: Record<string, unknown>, depth = 0): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (SECRET_NAMES.has(name)) return [name, '[redacted]'];
      const nested = depth === 0 && typeof value === 'object' && value !== null && !(value instanceof Error);
      return [name, nested && !Array.isArray(value) ? redact(value as Record<string, unknown>, 1) : value];
    }),
  );
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
