// Translates between routing's own types and the messages of runner.proto, and distrusts a worker's free-form fields.
import { Buffer } from 'node:buffer';
import { ERRORS, isErrorCode } from '@rungrid/proto/errors';
import type { Error as WireError, Exit, RunEvent, RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import { END_REASONS, type EndReason } from '@rungrid/proto/limits';
import type { WorkerEvent, WorkerInput } from '../routing/types.js';

const reasons: ReadonlySet<string> = new Set(END_REASONS);
/** Longest message of a worker that is passed on. */
const MAX_MESSAGE = 300;

export function toWire(input: WorkerInput): NonNullable<RunInput['input']> {
  switch (input.kind) {
    case 'attach': {
      const { kind, ...value } = input;
      return { $case: kind, value };
    }
    case 'stdin':
      return { $case: 'stdin', value: Buffer.from(input.text, 'utf8') };
    case 'stdin_close':
      return { $case: 'stdinClose', value: {} };
    case 'signal':
      return { $case: 'signal', value: { name: input.name } };
    case 'resize':
      return { $case: 'resize', value: { cols: input.cols, rows: input.rows } };
    case 'stop':
      return { $case: 'stop', value: { disconnected: input.disconnected } };
    case 'leave':
      return { $case: 'leave', value: {} };
  }
}

/** undefined: a message without an event, or with one that this gateway does not know. */
export function fromWire({ seq, event, attached }: RunEvent): WorkerEvent | undefined {
  if (attached !== undefined) return { kind: 'attached', ...attached };
  switch (event?.$case) {
    case 'started': {
      const { language, version, warm } = event.value;
      return { kind: 'started', language, version, warm, seq };
    }
    case 'compile':
    case 'stdout':
    case 'stderr':
      return { kind: event.$case, text: event.value.toString(), seq };
    case 'stdinConsumed':
      return { kind: 'stdin_consumed', bytes: event.value };
    case 'exit':
      return exitEvent(event.value, seq);
    case 'error':
      return errorEvent(event.value, seq);
    case undefined:
      return undefined;
  }
}

function exitEvent(exit: Exit, seq: number): WorkerEvent {
  const { reason, usage, truncated, code = null, signal = null } = exit;
  if (!isReason(reason)) return { kind: 'error', code: 'internal', message: ERRORS.internal.meaning, seq };
  return {
    kind: 'exit',
    code,
    signal,
    reason,
    usage: {
      wall_ms: usage?.wallMs ?? 0,
      cpu_ms: usage?.cpuMs ?? 0,
      memory_bytes: usage?.memoryBytes ?? 0,
      output_bytes: usage?.outputBytes ?? 0,
    },
    truncated,
    seq,
  };
}

function errorEvent(error: WireError, seq: number): WorkerEvent {
  const code = isErrorCode(error.code) ? error.code : 'internal';
  return { kind: 'error', code, message: error.message.slice(0, MAX_MESSAGE) || ERRORS[code].meaning, seq };
}

function isReason(text: string): text is EndReason {
  return reasons.has(text);
}
