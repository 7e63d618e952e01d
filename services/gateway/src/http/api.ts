// The HTTP side by path: health, readiness, languages, tokens, pages; each address within its rate.
import { BucketMap } from '@rungrid/kit/token-bucket';
import type { HelloLanguage } from '@rungrid/proto/frames';
import { corsHeaders, preflight } from './cors.js';
import { httpError, type HttpRequest, type HttpResponse, json, text } from './types.js';

const MAX_ADDRESSES = 50_000;

export type Handler = (request: HttpRequest) => HttpResponse;

export interface ApiOptions {
  readonly tokens: Handler;
  readonly pages: Handler;
  readonly allowed: (origin: string) => boolean;
  readonly languages: () => readonly HelloLanguage[];
  /** What keeps the gateway from taking runs, one reason each; none: ready. */
  readonly notReady: () => string[];
  /** Requests of one address in a minute. */
  readonly requestsPerAddress: number;
}

export function createApi(options: ApiOptions): Handler {
  const rate = new BucketMap({
    capacity: options.requestsPerAddress,
    perSecond: options.requestsPerAddress / 60,
    maxNames: MAX_ADDRESSES,
  });
  const routes = new Map<string, Handler>([
    ['/healthz', readOnly(() => text(200, 'ok\n'))],
    ['/readyz', readOnly(() => readiness(options.notReady()))],
    ['/v1/languages', (request) => languages(request, options)],
    ['/v1/token', options.tokens],
  ]);
  return (request) => {
    const retryAfterMs = rate.take(request.address, performance.now());
    if (retryAfterMs > 0) return httpError('rate_limited', { message: 'too many requests', retryAfterMs });
    return (routes.get(request.path) ?? options.pages)(request);
  };
}

function readiness(reasons: readonly string[]): HttpResponse {
  return reasons.length === 0 ? text(200, 'ready\n') : text(503, `${reasons.join('\n')}\n`);
}

function languages(request: HttpRequest, options: ApiOptions): HttpResponse {
  const allowed = options.allowed(request.origin);
  if (request.method === 'OPTIONS' && allowed) return preflight(request.origin, 'GET');
  const headers: Record<string, string> = allowed ? corsHeaders(request.origin) : { vary: 'origin' };
  return readOnly(() => json(200, { languages: options.languages() }, headers))(request);
}

function readOnly(handler: () => HttpResponse): Handler {
  return (request) => {
    if (request.method === 'GET' || request.method === 'HEAD') return handler();
    return httpError('not_found', { status: 405, headers: { allow: 'GET, HEAD' } });
  };
}
