// POST /v1/token: mints a run token for a page of an allowed origin.
import { BucketMap } from '@rungrid/kit/token-bucket';
import { RunLimitsSchema } from '@rungrid/proto/frames';
import { signToken, TOKEN_WINDOW_MS } from '@rungrid/proto/token';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { corsHeaders, preflight } from './cors.js';
import { httpError, type HttpRequest, type HttpResponse, json } from './types.js';

const MAX_ADDRESSES = 50_000;

/** What a page may narrow its own token to. Other fields are ignored. */
const bodyCheck = Compile(
  Type.Object({
    languages: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 32 }), { maxItems: 16 })),
    limits: Type.Optional(RunLimitsSchema),
  }),
);

export interface TokenHandlerOptions {
  /** Exact origins; asked at each request, for they may depend on the port. */
  readonly allowed: (origin: string) => boolean;
  readonly keyId: string;
  readonly key: string;
  /** Tokens of one address in a minute. */
  readonly tokensPerAddress: number;
}

export function tokenHandler(options: TokenHandlerOptions): (request: HttpRequest) => HttpResponse {
  const rate = new BucketMap({
    capacity: options.tokensPerAddress,
    perSecond: options.tokensPerAddress / 60,
    maxNames: MAX_ADDRESSES,
  });
  return (request) => {
    if (!options.allowed(request.origin)) return httpError('origin_denied', { headers: { vary: 'origin' } });
    if (request.method === 'OPTIONS') return preflight(request.origin, 'POST');
    const headers = corsHeaders(request.origin);
    if (request.method !== 'POST')
      return httpError('not_found', { status: 405, headers: { ...headers, allow: 'POST, OPTIONS' } });
    const retryAfterMs = rate.take(request.address, performance.now());
    if (retryAfterMs > 0) return httpError('rate_limited', { message: 'too many tokens', headers, retryAfterMs });
    const claims = readClaims(request.body);
    if (claims === undefined)
      return httpError('invalid_frame', { message: 'the body is not {languages?, limits?}', headers });
    const nowMs = Date.now();
    const token = signToken({ keyId: options.keyId, key: options.key, origin: request.origin, nowMs, ...claims });
    return json(200, { token, expires_at_ms: nowMs + TOKEN_WINDOW_MS }, headers);
  };
}

function readClaims(body: string): Pick<Parameters<typeof signToken>[0], 'claims'> | undefined {
  if (body === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return undefined;
  }
  if (!bodyCheck.Check(value)) return undefined;
  const { languages, limits } = value;
  if (languages === undefined && limits === undefined) return {};
  return { claims: { ...(languages === undefined ? {} : { languages }), ...(limits === undefined ? {} : { limits }) } };
}
