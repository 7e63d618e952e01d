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
    // A second line of defence: the names under which secrets and strangers' data would travel.
    redact: {
      paths: ['token', 'code', 'stdin', 'key', 'text', '*.token', '*.code', '*.stdin', '*.key', '*.text'],
      censor: '[redacted]',
    },
  };
  return options.destination === undefined ? pino(settings) : pino(settings, options.destination);
}
