// Translates a worker's events into what a listener hears, and distrusts their free-form fields.
import { type ErrorCode, ERRORS, isErrorCode } from '@rungrid/proto/errors';
import type { Error as WorkerError, Exit, RunEvent } from '@rungrid/proto/gen/rungrid/v1/runner';
import { END_REASONS, type EndReason } from '@rungrid/proto/limits';
import type { RunEnd, RunOutput, StreamFault, SubmitOutcome } from './types.js';

type Body = NonNullable<RunEvent['event']>;
const reasons: ReadonlySet<string> = new Set(END_REASONS);
/** Longest message of a worker that is passed on. */
const MAX_MESSAGE = 300;
/** Workers that may be lost with a run that has not started; then it is not tried again. */
const MAX_LOSSES = 2;

export function outputOf(
  body: Exclude<Body, { $case: 'exit' | 'error' | 'stdinConsumed' }>,
  of: { readonly seq: number; readonly resumeKey: string },
): RunOutput {
  if (body.$case !== 'started') return { kind: body.$case, text: body.value.toString(), seq: of.seq };
  const { language, version, warm } = body.value;
  return { kind: 'started', language, version, warm, resume_key: of.resumeKey, seq: of.seq };
}

/** `exit` absent: the run never reached a worker, and used nothing. */
export function exitEnd(options: { exit: Exit; seq: number } | { reason: EndReason; seq: number }): RunEnd {
  if (!('exit' in options)) {
    const usage = { wall_ms: 0, cpu_ms: 0, memory_bytes: 0, output_bytes: 0 };
    return {
      kind: 'exit',
      code: null,
      signal: null,
      reason: options.reason,
      usage,
      truncated: false,
      seq: options.seq,
    };
  }
  const { exit, seq } = options;
  if (!isReason(exit.reason)) return { kind: 'error', code: 'internal', message: ERRORS.internal.meaning };
  return {
    kind: 'exit',
    code: exit.code ?? null,
    signal: exit.signal ?? null,
    reason: exit.reason,
    usage: {
      wall_ms: exit.usage?.wallMs ?? 0,
      cpu_ms: exit.usage?.cpuMs ?? 0,
      memory_bytes: exit.usage?.memoryBytes ?? 0,
      output_bytes: exit.usage?.outputBytes ?? 0,
    },
    truncated: exit.truncated,
    seq,
  };
}

export function workerError(error: WorkerError): RunEnd {
  const code: ErrorCode = isErrorCode(error.code) ? error.code : 'internal';
  return { kind: 'error', code, message: error.message.slice(0, MAX_MESSAGE) || ERRORS[code].meaning };
}

/** A run that Redis's scripts refused. */
export function refusalEnd(result: Exclude<SubmitOutcome, { outcome: 'ok' }>): RunEnd {
  switch (result.outcome) {
    case 'replayed':
      return errorEnd('token_replayed');
    case 'rate':
      return { ...errorEnd('rate_limited'), retryAfterMs: result.retryAfterMs };
    case 'full':
      return { ...errorEnd('overloaded', 'too many runs wait'), retryAfterMs: result.retryAfterMs };
    case 'share':
      return { ...errorEnd('overloaded', 'too many runs of yours wait'), retryAfterMs: result.retryAfterMs };
  }
}

/**
 * The end of a run whose stream ended before it did; undefined: it is tried again. `shown`: its client has seen something of it; `wanted`: its
 * client is there, and has not stopped it; `losses`: workers that were lost with it.
 */
export function afterLoss(
  fault: StreamFault['kind'] | undefined,
  run: { readonly shown: boolean; readonly wanted: boolean; readonly losses: number },
): (RunEnd & { kind: 'error' }) | undefined {
  if (fault === 'denied') return errorEnd('internal');
  if (fault === 'taken_over') return errorEnd('taken_over');
  // A worker that does not know this gateway is not alone with that.
  if (run.shown || !run.wanted || fault === 'refused') return errorEnd('worker_lost');
  return run.losses >= MAX_LOSSES ? errorEnd('poison') : undefined;
}

export function errorEnd(code: ErrorCode, message: string = ERRORS[code].meaning): RunEnd & { kind: 'error' } {
  return { kind: 'error', code, message };
}

function isReason(text: string): text is EndReason {
  return reasons.has(text);
}
