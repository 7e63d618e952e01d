// The ends of runs that no worker decides: refused, cancelled, lost.
import { type ErrorCode, ERRORS } from '@rungrid/proto/errors';
import type { EndReason } from '@rungrid/proto/limits';
import type { RunError, RunExit, StreamFault, SubmitOutcome } from './types.js';

/** Workers that may be lost with a run that has not started; then it is not tried again. */
const MAX_LOSSES = 2;

/** The end of a run that never reached a worker, and used nothing. */
export function unstartedExit(reason: EndReason): RunExit {
  const usage = { wall_ms: 0, cpu_ms: 0, memory_bytes: 0, output_bytes: 0 };
  return { kind: 'exit', code: null, signal: null, reason, usage, truncated: false, seq: 1 };
}

export function errorEnd(code: ErrorCode, message: string = ERRORS[code].meaning): RunError {
  return { kind: 'error', code, message };
}

/** A run that Redis's scripts refused. */
export function refusalEnd(result: Exclude<SubmitOutcome, { outcome: 'ok' }>): RunError {
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
 * client is connected, and has not stopped it; `losses`: workers that were lost with it.
 */
export function afterLoss(
  fault: StreamFault['kind'] | undefined,
  run: { readonly shown: boolean; readonly wanted: boolean; readonly losses: number },
): RunError | undefined {
  if (fault === 'denied') return errorEnd('internal');
  if (fault === 'taken_over') return errorEnd('taken_over');
  // A worker that refuses this gateway is not the only one: another try would be refused, too.
  if (run.shown || !run.wanted || fault === 'refused') return errorEnd('worker_lost');
  return run.losses >= MAX_LOSSES ? errorEnd('poison') : undefined;
}
