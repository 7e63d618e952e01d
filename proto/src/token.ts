// Run tokens: PAYLOAD_SIGNATURE, where SIGNATURE = hex HMAC-SHA256(key, PAYLOAD + "\n" + origin) (RFC 2104). Signing and checking.
import { Buffer } from 'node:buffer';
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { RunLimitsSchema } from './frames.js';

/** How long a token is valid after its time stamp, ms. */
export const TOKEN_WINDOW_MS = 300_000;
/** How far in the future a time stamp may be, ms, since clocks differ. */
export const TOKEN_FUTURE_SKEW_MS = 5_000;

/** Optional claims, in the payload as base64url JSON. */
export const TokenClaimsSchema = Type.Object({
  /** The site's own name for its user; for its rate limits and logs. */
  user: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9._@-]{1,64}$' })),
  /** Canonical names of the languages that the token is good for. */
  languages: Type.Optional(Type.Array(Type.String({ maxLength: 32 }), { maxItems: 64 })),
  /** Lower limits. */
  limits: Type.Optional(RunLimitsSchema),
  /** Hex SHA-256 of the only code that may run. */
  sha256: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$' })),
});
export type TokenClaims = Static<typeof TokenClaimsSchema>;

export interface SignOptions {
  readonly keyId: string;
  readonly key: string;
  /** The page's Origin header; empty for a client that sends none. */
  readonly origin: string;
  readonly claims?: TokenClaims;
  /** Default: now. */
  readonly nowMs?: number;
}

/** Makes a token. */
export function signToken(options: SignOptions): string {
  const nonce = randomBytes(12).toString('base64url').replaceAll('_', '-');
  const claims =
    options.claims === undefined ? '' : `.${Buffer.from(JSON.stringify(options.claims)).toString('base64url')}`;
  const payload = `${options.nowMs ?? Date.now()}.${options.keyId}.${nonce}${claims}`;
  return `${payload}_${signature(options.key, payload, options.origin).toString('hex')}`;
}

export interface CheckOptions {
  /** Key id -> key. */
  readonly keys: ReadonlyMap<string, string>;
  readonly origin: string;
  readonly nowMs: number;
  /** Default TOKEN_WINDOW_MS. */
  readonly windowMs?: number;
}
export type TokenResult =
  /** `nonceKey` is unique to the token: remember it for `ttlMs`, and refuse it meanwhile. */
  | { readonly ok: true; readonly claims: TokenClaims; readonly nonceKey: string; readonly ttlMs: number }
  | { readonly ok: false; readonly code: 'token_invalid' | 'token_expired'; readonly message: string };

// The signature is after the LAST underscore: base64url claims may hold one.
const FORM = /^((\d{1,15})\.([A-Za-z0-9-]{1,32})\.([A-Za-z0-9-]{8,64})(?:\.([A-Za-z0-9_-]{2,1500}))?)_([0-9a-f]{64})$/;
const claimsCheck = Compile(TokenClaimsSchema);

/** Checks form, signature, then window. Compares in constant time, also for an unknown key. */
export function checkToken(token: string, options: CheckOptions): TokenResult {
  const match = FORM.exec(token);
  if (match === null) return invalid('malformed token');
  const [, payload, stamp, keyId, nonce, encodedClaims, given] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    string | undefined,
    string,
  ];
  const key = options.keys.get(keyId);
  const expected = signature(key ?? 'no such key', payload, options.origin);
  const equal = timingSafeEqual(expected, Buffer.from(given, 'hex'));
  if (key === undefined || !equal) return invalid('bad signature for this origin');
  const windowMs = options.windowMs ?? TOKEN_WINDOW_MS;
  const ageMs = options.nowMs - Number(stamp);
  if (ageMs > windowMs || ageMs < -TOKEN_FUTURE_SKEW_MS) {
    return { ok: false, code: 'token_expired', message: 'token outside its time window' };
  }
  const claims = encodedClaims === undefined ? {} : parseClaims(encodedClaims);
  if (claims === undefined) return invalid('malformed claims');
  // The nonce is remembered for as long as its token could pass the window.
  return { ok: true, claims, nonceKey: `${keyId}.${stamp}.${nonce}`, ttlMs: Math.max(1, windowMs - ageMs + 1000) };
}

function signature(key: string, payload: string, origin: string): Buffer {
  return createHmac('sha256', key).update(`${payload}\n${origin}`).digest();
}

function parseClaims(encoded: string): TokenClaims | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'));
    return claimsCheck.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function invalid(message: string): TokenResult {
  return { ok: false, code: 'token_invalid', message };
}
