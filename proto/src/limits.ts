// Protocol limits and closed lists, shared by both sides of every wire.

/** Version in `hello.protocol` and the subprotocol `rungrid.v1`. */
export const PROTOCOL_VERSION = 1;
/** Accepted and optional WebSocket subprotocol (RFC 6455 section 1.9). */
export const SUBPROTOCOL = 'rungrid.v1';

/** Largest client frame, bytes. A larger one closes the socket with 4413. */
export const MAX_FRAME_BYTES = 262_144;
/** Deepest nesting of a client frame's JSON. A deeper one closes the socket with 4400. */
export const MAX_FRAME_DEPTH = 8;
/** Largest `code`, and largest total of code and files, UTF-8 bytes: leaves room for JSON escapes in one frame. */
export const MAX_CODE_BYTES = 131_072;
/** Most files that a run may add to its program. */
export const MAX_FILES = 16;
/** Most arguments of a run, and longest one in bytes. */
export const MAX_ARGS = 64;
export const MAX_ARG_BYTES = 4096;
/** All arguments of a run, each with a NUL, bytes. With the commands and the environment they fit in one START frame of the agent, 64 KiB. */
export const MAX_ARGS_BYTES = 49_152;
/** Largest text of one stdin frame, UTF-8 bytes. */
export const MAX_STDIN_FRAME_BYTES = 65_536;
/** stdin kept for a run that has not started, bytes; past it: error stdin_full. */
export const STDIN_BUFFER_BYTES = 65_536;
/** stdin sent to a run and not yet read by its program, bytes; past it: error stdin_full. */
export const STDIN_WINDOW_BYTES = 262_144;
/** Largest stdout/stderr text of one frame, bytes before JSON escaping. */
export const OUTPUT_CHUNK_BYTES = 16_384;
/** Longest time that output waits to be coalesced, ms; the first bytes of a burst are sent at once. */
export const OUTPUT_COALESCE_MS = 8;

/** Why a run ended (`exit.reason`). */
export const END_REASONS = [
  'exited',
  'signaled',
  'wall_limit',
  'cpu_limit',
  'idle_limit',
  'memory_limit',
  'process_limit',
  'output_limit',
  'stopped',
  'disconnected',
  'compile_error',
] as const;
export type EndReason = (typeof END_REASONS)[number];

/** Each end reason in one sentence for people; PROTOCOL.md lists the same, and a test compares them. */
export const END_REASON_TEXT: Readonly<Record<EndReason, string>> = {
  exited: 'The program exited; `code` is its exit code.',
  signaled: 'A signal ended the program; `signal` names it.',
  wall_limit: 'The program hit its wall-clock limit.',
  cpu_limit: 'The program hit its CPU time limit, all of its processes together.',
  idle_limit: 'The program wrote nothing and received no input for too long.',
  memory_limit: 'The program, or its compiler, ran out of memory.',
  process_limit:
    'The program hit the process limit: it kept creating processes or threads, or failed because one was refused.',
  output_limit: 'The program hit the output limit; everything up to the limit was sent.',
  stopped: 'The client stopped the run.',
  disconnected: 'The client disconnected, and the run was not kept.',
  compile_error: 'The compiler rejected the program; the `compile` events say why.',
};

/** Signals that a client may send, with their Linux numbers (signal(7), x86-64 and arm64). */
export const SIGNALS = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGKILL: 9,
  SIGUSR1: 10,
  SIGUSR2: 12,
  SIGTERM: 15,
  SIGCONT: 18,
  SIGTSTP: 20,
  SIGWINCH: 28,
} as const;
export type SignalName = keyof typeof SIGNALS;
