// Why the proxy refuses: a closed table of reasons, each with its HTTP status.

/** Reason to status. Everything that the policy forbids is 403; the others are errors of the request or of the engine. */
const REFUSALS = {
  /** Not one of the calls that a worker makes, byte for byte. */
  not_allowed: 403,
  /** A create body with a field that is missing, unknown or not what a sandbox must have. */
  bad_body: 403,
  /** Framing that a worker never uses: chunks, Expect, an upgrade elsewhere, a body where none belongs. */
  bad_framing: 403,
  /** A second request before the answer to the first one. The connection is closed without an answer. */
  pipelined: 403,
  body_too_large: 413,
  /** A container that is not of the fleet. */
  foreign_container: 403,
  /** An image that is not on the list. */
  foreign_image: 403,
  /** The engine does not know it; a worker that removes it needs this answer. */
  no_such_container: 404,
  /** Not a request that the HTTP parser accepts. */
  not_http: 400,
  /** A request that did not arrive in time. */
  request_timeout: 408,
  engine_unreachable: 502,
  /** An answer of the engine that is too large or invalid. */
  bad_answer: 502,
  engine_timeout: 504,
  /** An error of the proxy itself: nothing was forwarded. */
  internal: 500,
} as const;

export type RefusalReason = keyof typeof REFUSALS;

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: RefusalReason;

  /** `message` says what was refused and why; the caller quotes and bounds text of a request in it. */
  constructor(reason: RefusalReason, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.reason = reason;
  }

  get status(): number {
    return REFUSALS[this.reason];
  }
}

/** Text of a request for a message or a log: JSON-escaped, at most 80 characters of it. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
