// What the proxy says no with: a closed table of reasons, each with the HTTP status that it answers.

/** Reason to status. Everything that policy forbids is 403; the others say what the caller can mend or the engine did. */
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
  /** The engine does not know it: a worker that removes must hear so. */
  no_such_container: 404,
  /** The parser could not make a request of it. */
  not_http: 400,
  /** A request that did not come in time. */
  request_timeout: 408,
  engine_unreachable: 502,
  /** An answer of the engine that is too large, or not what it must be. */
  bad_answer: 502,
  engine_timeout: 504,
  /** A fault of the proxy's own: nothing went on. */
  internal: 500,
} as const;

export type RefusalReason = keyof typeof REFUSALS;

export class Refusal extends Error {
  override readonly name = 'Refusal';
  readonly reason: RefusalReason;

  /** `message` says what was refused and why; strangers' text in it is quoted and bounded by the caller. */
  constructor(reason: RefusalReason, message: string, options: { cause?: unknown } = {}) {
    super(message, options);
    this.reason = reason;
  }

  get status(): number {
    return REFUSALS[this.reason];
  }
}

/** A stranger's text for a message or a log: JSON-escaped, at most 80 characters of it. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
