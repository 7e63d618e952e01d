// The closed table of error codes: the only ones that an `error` event or an HTTP answer carries.

export interface ErrorInfo {
  /** What it says to a person who writes a client. */
  readonly meaning: string;
  /** Whether the same request may succeed later, unchanged (but for a new token). */
  readonly retryable: boolean;
  /** HTTP status where the same fault is answered over HTTP. */
  readonly http: number;
}

export const ERRORS = {
  unknown_event: { meaning: 'The event name is not one of the protocol.', retryable: false, http: 400 },
  invalid_frame: {
    meaning: 'The event is known, its data is not as documented; the message names the field.',
    retryable: false,
    http: 400,
  },
  unknown_language: { meaning: 'No such language or alias here; hello lists them.', retryable: false, http: 404 },
  unknown_version: { meaning: 'The language is here, not in that version.', retryable: false, http: 404 },
  code_too_large: {
    meaning: 'Code and files together exceed the limit that hello tells.',
    retryable: false,
    http: 413,
  },
  token_invalid: {
    meaning: 'The token is malformed, of an unknown key, or its signature does not fit this origin.',
    retryable: false,
    http: 401,
  },
  token_expired: { meaning: 'The token is outside its time window; get a new one.', retryable: true, http: 401 },
  token_replayed: { meaning: 'The token was used before; each works once.', retryable: true, http: 401 },
  token_scope: {
    meaning: 'The token is genuine, but not for this language, code or limit.',
    retryable: false,
    http: 403,
  },
  origin_denied: { meaning: 'This origin may not do that here.', retryable: false, http: 403 },
  run_in_progress: {
    meaning: 'A run of that name (or an unnamed one) still lives on this socket.',
    retryable: true,
    http: 409,
  },
  no_such_run: { meaning: 'No run of that name was started on this socket.', retryable: false, http: 404 },
  too_many_runs: { meaning: 'The socket holds as many live runs as it may.', retryable: true, http: 429 },
  rate_limited: { meaning: 'Too many runs from this address; retry_after_ms says when.', retryable: true, http: 429 },
  overloaded: {
    meaning: 'The queue is full or no worker can take the run; retry_after_ms says when.',
    retryable: true,
    http: 503,
  },
  unavailable: { meaning: 'A part of the service cannot be reached just now.', retryable: true, http: 503 },
  queue_timeout: { meaning: 'No worker took the run in time; it was not started.', retryable: true, http: 503 },
  start_failed: { meaning: 'No sandbox could be started for the run.', retryable: true, http: 503 },
  stdin_full: {
    meaning: 'The program does not read: this stdin frame was dropped whole, what came before is kept.',
    retryable: true,
    http: 429,
  },
  worker_lost: {
    meaning: 'The machine that ran the program was lost; it may have done part of its work.',
    retryable: true,
    http: 503,
  },
  poison: {
    meaning: 'Two workers were lost with the run before it started: it is not tried again.',
    retryable: false,
    http: 500,
  },
  resume_failed: {
    meaning: 'There is nothing to resume: the run is over or lost, was not kept, or the key is not its key.',
    retryable: false,
    http: 404,
  },
  resume_gap: {
    meaning: 'Events after `after` are no longer held; the run goes on, and resume with a later `after` skips them.',
    retryable: false,
    http: 410,
  },
  taken_over: { meaning: 'The run was resumed on another connection.', retryable: false, http: 409 },
  draining: { meaning: 'This server is going away; connect again.', retryable: true, http: 503 },
  not_found: { meaning: 'No such resource (HTTP).', retryable: false, http: 404 },
  internal: { meaning: 'A fault of ours; it is logged.', retryable: true, http: 500 },
} as const satisfies Record<string, ErrorInfo>;

export type ErrorCode = keyof typeof ERRORS;
export const ERROR_CODES = Object.keys(ERRORS) as readonly ErrorCode[];

export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(ERRORS, value);
}
