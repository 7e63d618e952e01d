// How a run's end becomes an exit code and, where the program did not end by itself, a line for the person.
import { constants } from 'node:os';
import type { ServerEvents } from '@rungrid/proto/frames';
import { END_REASON_TEXT } from '@rungrid/proto/limits';

/** It ran out of time: what timeout(1) answers. */
export const EXIT_TIME = 124;
/** It was killed over a resource: 128 + SIGKILL. */
export const EXIT_KILLED = 137;
/** It was stopped by the person: 128 + SIGINT. */
export const EXIT_STOPPED = 130;
/** The reader of its output was closed: 128 + SIGPIPE. */
export const EXIT_UNREAD = 141;
/** The compiler refused it: what a compiler itself answers. */
const EXIT_COMPILE = 1;

export type ExitEvent = ServerEvents['exit'];

export function exitCodeOf(exit: Pick<ExitEvent, 'reason' | 'code' | 'signal'>): number {
  switch (exit.reason) {
    case 'exited':
      return exit.code ?? 0;
    case 'signaled':
      return 128 + signalNumber(exit.signal);
    case 'wall_limit':
    case 'cpu_limit':
    case 'idle_limit':
      return EXIT_TIME;
    case 'memory_limit':
    case 'process_limit':
    case 'output_limit':
    case 'disconnected':
      return EXIT_KILLED;
    case 'stopped':
      return EXIT_STOPPED;
    case 'compile_error':
      return EXIT_COMPILE;
  }
}

/** Undefined for a program that ended by itself: its own exit code says it all. */
export function explain(exit: ExitEvent): string | undefined {
  switch (exit.reason) {
    case 'exited':
    case 'compile_error':
      return undefined;
    case 'signaled':
      return `ended by ${exit.signal ?? 'a signal'}`;
    case 'wall_limit':
    case 'cpu_limit':
    case 'idle_limit':
    case 'memory_limit':
    case 'process_limit':
    case 'output_limit':
    case 'stopped':
    case 'disconnected':
      return `${exit.reason}: ${END_REASON_TEXT[exit.reason]} (${usage(exit)})`;
  }
}

function signalNumber(name: string | null): number {
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return numbers[name ?? ''] ?? 0;
}

function usage({ usage: used }: ExitEvent): string {
  return `${(used.wall_ms / 1000).toFixed(1)} s, ${used.cpu_ms} ms CPU, ${Math.ceil(used.memory_bytes / 2 ** 20)} MB`;
}
