// Decides about a run_code without waiting: language, token, limits, local rate; cheapest first.
import { createHash } from 'node:crypto';
import { nowUs } from '@rungrid/kit/clock';
import { newId, newSecret } from '@rungrid/kit/ids';
import { BucketMap } from '@rungrid/kit/token-bucket';
import { type ErrorCode, ERRORS } from '@rungrid/proto/errors';
import type { HelloLanguage, RunCode, RunLimits } from '@rungrid/proto/frames';
import type { RunRequest } from '@rungrid/proto/stream-entries';
import { checkToken, type TokenClaims } from '@rungrid/proto/token';
import type { RunSpec } from '../routing/types.js';
import type { AdmissionResult, Client } from '../session/types.js';
import { type LanguageCatalog, versionFits } from './catalog.js';

/** Addresses whose rate is remembered. */
const MAX_ADDRESSES = 50_000;
/** When a client may retry while no worker has announced itself yet, ms. */
const NO_WORKER_RETRY_MS = 2000;

export interface AdmissionOptions {
  readonly gatewayId: string;
  readonly tokenKeys: ReadonlyMap<string, string>;
  readonly catalog: LanguageCatalog;
  /** The server's wall-clock limit, ms. */
  readonly wallMs: number;
  /** Runs of one address in a window. The shared count is Redis's; this one saves it the trouble. */
  readonly runsPerAddress: number;
  readonly runsWindowMs: number;
}

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #rate: BucketMap;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#rate = new BucketMap({
      capacity: options.runsPerAddress,
      perSecond: (options.runsPerAddress * 1000) / options.runsWindowMs,
      maxNames: MAX_ADDRESSES,
    });
  }

  /** The run's spec, or the first reason against it. Size and shape were checked by the parser. */
  admit(data: RunCode, client: Client): AdmissionResult {
    const nowMs = Date.now();
    const { catalog, tokenKeys } = this.#options;
    const language = catalog.find(data.language);
    if (language === undefined) return this.#noLanguage();
    if (data.version !== undefined && !versionFits(data.version, language.version)) {
      return refuse('unknown_version', `${language.name} is here in version ${language.version}`);
    }
    const token = checkToken(data.token, { keys: tokenKeys, origin: client.origin, nowMs });
    if (!token.ok) return refuse(token.code, token.message);
    const scope = outOfScope(token.claims, data, language);
    if (scope !== undefined) return refuse('token_scope', scope);
    const waitMs = this.#rate.take(client.addressHash, performance.now());
    if (waitMs > 0) return { ...refuse('rate_limited'), retryAfterMs: waitMs };
    return { ok: true, spec: this.#spec({ data, client, language, token }) };
  }

  #noLanguage(): AdmissionResult {
    if (this.#options.catalog.languages.length > 0) return refuse('unknown_language');
    return { ...refuse('overloaded', 'no worker is connected yet'), retryAfterMs: NO_WORKER_RETRY_MS };
  }

  #spec(given: {
    data: RunCode;
    client: Client;
    language: HelloLanguage;
    token: { claims: TokenClaims; nonceKey: string; ttlMs: number };
  }): RunSpec {
    const { data, client, language, token } = given;
    const limits = lowerLimits(data.limits, token.claims.limits);
    const request: RunRequest = {
      run: newId(),
      key: newSecret(),
      gateway: this.#options.gatewayId,
      language: language.name,
      code: data.code,
      files: data.files ?? [],
      args: data.args ?? [],
      ...(data.stdin === undefined ? {} : { stdin: data.stdin }),
      ...(data.tty === undefined ? {} : { tty: data.tty }),
      ...(data.on_disconnect === 'keep' ? { on_disconnect: data.on_disconnect } : {}),
      limits,
      accepted_us: nowUs(),
    };
    return {
      runId: request.run,
      key: request.key,
      language: request.language,
      request: JSON.stringify(request),
      keep: request.on_disconnect === 'keep',
      stdinGiven: request.stdin !== undefined,
      nonceKey: token.nonceKey,
      nonceTtlMs: token.ttlMs,
      addressHash: client.addressHash,
      siteHash: client.siteHash,
      wallMs: Math.min(this.#options.wallMs, limits.wall_ms ?? Number.POSITIVE_INFINITY),
    };
  }
}

/** What a genuine token is not good for, in words; undefined: all is well. */
function outOfScope(claims: TokenClaims, data: RunCode, language: HelloLanguage): string | undefined {
  if (claims.languages !== undefined && !claims.languages.includes(language.name)) {
    return 'the token is not for this language';
  }
  if (claims.sha256 !== undefined && createHash('sha256').update(data.code).digest('hex') !== claims.sha256) {
    return 'the token is not for this code';
  }
  // A file beside the program can take the place of what it imports, so it is code that the token does not cover.
  if (claims.sha256 !== undefined && (data.files ?? []).length > 0) return 'the token is for code without files';
  return undefined;
}

/** The lower one of each, where both ask. */
function lowerLimits(asked: RunLimits | undefined, claimed: RunLimits | undefined): RunLimits {
  const limits: RunLimits = {};
  for (const name of ['wall_ms', 'cpu_ms', 'output_bytes'] as const) {
    const values = [asked?.[name], claimed?.[name]].filter((value) => value !== undefined);
    if (values.length > 0) limits[name] = Math.min(...values);
  }
  return limits;
}

function refuse(code: ErrorCode, message: string = ERRORS[code].meaning): Extract<AdmissionResult, { ok: false }> {
  return { ok: false, code, message };
}
