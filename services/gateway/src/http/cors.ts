// Cross-origin answers (Fetch standard, CORS protocol): one exact origin, no credentials.
import { type HttpResponse, text } from './types.js';

export function corsHeaders(origin: string): Record<string, string> {
  return { 'access-control-allow-origin': origin, vary: 'origin' };
}

/** The caller has checked the origin. */
export function preflight(origin: string, method: string): HttpResponse {
  return text(204, '', {
    ...corsHeaders(origin),
    'access-control-allow-methods': method,
    'access-control-allow-headers': 'content-type',
    'access-control-max-age': '600',
  });
}
