// The closed table of error codes: the only ones that an `error` event or an HTTP answer carries.

export interface ErrorInfo {
  /** One sentence for people: the default `message` of the error event. */
  readonly meaning: string;
  /** Whether the same request may succeed later, with a new token. */
  readonly retryable: boolean;
  /** Status when the same error is answered over HTTP. */
  readonly http: number;
}

export const ERRORS = {
  unknown_event: { meaning: 'The event name is not part of the protocol.', retryable: false, http: 400 },
  invalid_frame: {
    meaning: 'The event is known, but its data is malformed; the message names the field.',
    retryable: false,
    http: 400,
  },
  unknown_language: {
    meaning: 'No language has this name or alias; hello lists the languages.',
    retryable: false,
    http: 404,
  },
  unknown_version: { meaning: 'The language is available, but not in this version.', retryable: false, http: 404 },
  code_too_large: {
    meaning: 'Code and files together exceed the limit in hello.',
    retryable: false,
    http: 413,
  },
  token_invalid: {
    meaning: 'The token is malformed, its key is unknown, or its signature does not match this origin.',
    retryable: false,
    http: 401,
  },
  token_expired: { meaning: 'The token is outside its time window; request a new one.', retryable: true, http: 401 },
  token_replayed: { meaning: 'The token was used before; each token works once.', retryable: true, http: 401 },
  token_scope: {
    meaning: 'The token is valid, but not for this language, code or limit.',
    retryable: false,
    http: 403,
  },
  origin_denied: { meaning: 'This origin is not allowed to do that.', retryable: false, http: 403 },
  run_in_progress: {
    meaning: 'A run with this name, or an unnamed run, is still live on this socket.',
    retryable: true,
    http: 409,
  },
  no_such_run: { meaning: 'No run with this name was started on this socket.', retryable: false, http: 404 },
  too_many_runs: { meaning: 'This socket has reached its limit of live runs.', retryable: true, http: 429 },
  rate_limited: { meaning: 'Too many runs were started from this address.', retryable: true, http: 429 },
  overloaded: {
    meaning: 'The queue is full, or no worker can take the run in time.',
    retryable: true,
    http: 503,
  },
  unavailable: { meaning: 'A part of the service is unreachable.', retryable: true, http: 503 },
  queue_timeout: { meaning: 'No worker took the run in time; it was not started.', retryable: true, http: 503 },
  start_failed: { meaning: 'No sandbox could be started for the run.', retryable: true, http: 503 },
  stdin_full: {
    meaning: 'The program is not reading its input: this stdin frame was dropped whole, earlier input is kept.',
    retryable: true,
    http: 429,
  },
  worker_lost: {
    meaning: 'The worker that ran the program was lost; the program may have done part of its work.',
    retryable: true,
    http: 503,
  },
  poison: {
    meaning: 'Two workers were lost before they started this run; it is not retried.',
    retryable: false,
    http: 500,
  },
  resume_failed: {
    meaning: 'The run cannot be resumed: it has ended, was lost or was not kept, or the key is wrong.',
    retryable: false,
    http: 404,
  },
  resume_gap: {
    meaning:
      'Events after `after` are no longer held; the run continues, and a resume with a later `after` skips them.',
    retryable: false,
    http: 410,
  },
  taken_over: { meaning: 'The run was resumed on another connection.', retryable: false, http: 409 },
  draining: { meaning: 'This server is shutting down; connect again.', retryable: true, http: 503 },
  not_found: { meaning: 'No such resource (HTTP only).', retryable: false, http: 404 },
  internal: { meaning: 'An internal error occurred; it is logged.', retryable: true, http: 500 },
} as const satisfies Record<string, ErrorInfo>;

export type ErrorCode = keyof typeof ERRORS;

export function isErrorCode(value: string): value is ErrorCode {
  return Object.hasOwn(ERRORS, value);
}
