// What an HTTP handler gets and gives: plain values, so that handlers need no server.
import { type ErrorCode, ERRORS } from '@rungrid/proto/errors';

export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Origin header; empty when there is none. */
  readonly origin: string;
  /** If-None-Match header; empty when there is none. */
  readonly ifNoneMatch: string;
  /** Normalized address of the client. */
  readonly address: string;
  /** Body of a POST, as text; at most MAX_BODY_BYTES. */
  readonly body: string;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** Largest body of a POST, bytes. A larger one gets 413. */
export const MAX_BODY_BYTES = 8192;

/** On everything that is not a page: never sniffed, framed, cached or run. */
const PLAIN_HEADERS = {
  'x-content-type-options': 'nosniff',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

export function json(status: number, value: unknown, headers: Record<string, string> = {}): HttpResponse {
  return {
    status,
    headers: { ...PLAIN_HEADERS, 'content-type': 'application/json; charset=utf-8', ...headers },
    body: JSON.stringify(value),
  };
}

export function text(status: number, body: string, headers: Record<string, string> = {}): HttpResponse {
  return { status, headers: { ...PLAIN_HEADERS, 'content-type': 'text/plain; charset=utf-8', ...headers }, body };
}

export interface HttpErrorOptions {
  readonly message?: string;
  /** Default: the table's. */
  readonly status?: number;
  readonly headers?: Record<string, string>;
  /** When to retry, ms. */
  readonly retryAfterMs?: number;
}

/** Every error over HTTP: {error: {code, message, retryable, retry_after_ms?}} with the table's status. */
export function httpError(code: ErrorCode, options: HttpErrorOptions = {}): HttpResponse {
  const { message = ERRORS[code].meaning, status = ERRORS[code].http, headers = {}, retryAfterMs } = options;
  const retry = retryAfterMs === undefined ? {} : { retry_after_ms: retryAfterMs };
  const after = retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) };
  return json(
    status,
    { error: { code, message, retryable: ERRORS[code].retryable, ...retry } },
    { ...after, ...headers },
  );
}
