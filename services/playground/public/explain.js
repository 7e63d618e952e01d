// What a run's end, an error and a closed socket mean to the visitor; the keys are the protocol's closed tables.

/** Why a run ended (`exit.reason`). @type {Readonly<Record<string, string>>} */
export const REASONS = Object.freeze({
  exited: 'Finished',
  signaled: 'Ended by a signal',
  wall_limit: 'Stopped: hit the time limit',
  cpu_limit: 'Stopped: hit the CPU time limit',
  idle_limit: 'Stopped: no input or output for too long',
  memory_limit: 'Stopped: ran out of memory',
  process_limit: 'Stopped: hit the process limit',
  output_limit: 'Stopped: hit the output limit',
  stopped: 'Stopped by you',
  disconnected: 'Stopped: the connection was lost',
  compile_error: 'Did not compile',
});

/** Close codes after which the page does not reconnect, and what it shows. @type {Readonly<Record<number, string>>} */
export const FINAL_CLOSES = Object.freeze({
  4400: 'The server did not understand this page. Reload it.',
  4401: 'The server refused this page’s tokens. Reload it.',
  4403: 'This page’s address is not allowed to run programs here.',
  4413: 'The program was too large to send. Reload the page to go on.',
});

/** @typedef {{ wall_ms: number, cpu_ms: number, memory_bytes: number, output_bytes: number }} Usage */
/** @typedef {{ code: number | null, signal: string | null, reason: string, truncated: boolean, usage: Usage }} Exit */

/**
 * An end in words: what happened, what it took, and how to show it.
 * @param {Exit} exit
 * @returns {{ title: string, detail: string, kind: 'ok' | 'bad' | 'warn' }}
 */
export function explainExit(exit) {
  let title = REASONS[exit.reason] ?? exit.reason;
  if (exit.reason === 'exited' && exit.code !== 0) title = `Exited with code ${exit.code}`;
  if (exit.reason === 'signaled') title = `Ended by ${exit.signal}`;
  const { wall_ms, cpu_ms, memory_bytes } = exit.usage;
  const parts = [duration(wall_ms), `${duration(cpu_ms)} CPU`, `${megabytes(memory_bytes)} memory`];
  if (exit.truncated) parts.push('output cut');
  const kind = exit.reason === 'exited' && exit.code === 0 ? 'ok' : exit.reason === 'stopped' ? 'warn' : 'bad';
  return { title, detail: parts.join(' · '), kind };
}

/**
 * An error in words.
 * @param {{ message: string, retryable: boolean, retry_after_ms?: number }} error
 */
export function explainError(error) {
  if (!error.retryable) return error.message;
  const when = error.retry_after_ms === undefined ? '' : ` in ${Math.max(1, Math.ceil(error.retry_after_ms / 1000))} s`;
  return `${error.message.replace(/[.]$/, '')}. Try again${when}.`;
}

/** @param {number} timeMs */
function duration(timeMs) {
  return timeMs < 1000 ? `${Math.round(timeMs)} ms` : `${(timeMs / 1000).toFixed(timeMs < 10_000 ? 2 : 1)} s`;
}

/** @param {number} bytes */
function megabytes(bytes) {
  return `${(bytes / 1_048_576).toFixed(1)} MB`;
}
