// The public side: sessions and the public port, wired to admission, routing and the HTTP handlers.
import type { Logger } from '@rungrid/kit/logger';
import { addressOf, forwardedAddress, hashAddress } from './admission/address.js';
import { Admission } from './admission/admission.js';
import type { LanguageCatalog } from './admission/catalog.js';
import type { GatewayConfig } from './config.js';
import { createApi } from './http/api.js';
import { pagesHandler, readPages } from './http/pages.js';
import { tokenHandler } from './http/tokens.js';
import { httpError, MAX_BODY_BYTES } from './http/types.js';
import type { GatewayMetrics } from './metrics.js';
import type { Router } from './routing/router.js';
import { Sessions } from './session/sessions.js';
import type { Client } from './session/types.js';
import type { HttpOptions } from './uws/http.js';
import { PublicServer } from './uws/server.js';
import type { WebSocketOptions } from './uws/websocket.js';

/** What the engine may buffer past the outbox's own bound before it drops: that bound acts first, a drop is the second line. */
const OUTBOX_MARGIN_BYTES = 1_048_576;

/** What changes while the gateway runs. */
export interface Edge {
  draining: boolean;
  /** Workers that take runs. */
  workers: number;
  origins: ReadonlySet<string>;
  hello: string;
}

interface SessionParts {
  readonly config: GatewayConfig;
  readonly edge: Edge;
  readonly metrics: GatewayMetrics;
  readonly router: Router;
  readonly available: () => boolean;
  readonly catalog: LanguageCatalog;
  readonly gatewayId: string;
}

export function createSessions(parts: SessionParts): Sessions {
  const { config, edge, router } = parts;
  const admission = new Admission({
    gatewayId: parts.gatewayId,
    tokenKeys: config.tokenKeys,
    catalog: parts.catalog,
    wallMs: config.WORKER_WALL_MS,
    runsPerAddress: config.GATEWAY_RUNS_PER_ADDRESS,
    runsWindowMs: config.GATEWAY_RUNS_WINDOW_MS,
  });
  return new Sessions({
    maxSockets: config.GATEWAY_MAX_SOCKETS,
    socketsPerAddress: config.GATEWAY_SOCKETS_PER_ADDRESS,
    deps: {
      admit: (data, client) => admission.admit(data, client),
      submit: (spec, listener) => router.submit(spec, listener),
      resume: (ask, listener) => router.resume(ask, listener),
      hello: () => edge.hello,
      draining: () => edge.draining,
      available: parts.available,
      metrics: parts.metrics.session,
      settings: {
        framesPerSecond: config.GATEWAY_FRAMES_PER_SECOND,
        runsPerSocket: config.GATEWAY_RUNS_PER_SOCKET,
        outboxBytes: config.GATEWAY_OUTBOX_BYTES,
        slowClientMs: config.GATEWAY_SLOW_CLIENT_MS,
        firstFrameMs: config.GATEWAY_FIRST_FRAME_MS,
        idleMs: config.GATEWAY_IDLE_MS,
      },
    },
  });
}

interface ServerParts {
  readonly config: GatewayConfig;
  readonly edge: Edge;
  readonly metrics: GatewayMetrics;
  readonly sessions: Sessions;
  readonly catalog: LanguageCatalog;
  readonly logger: Logger;
  readonly notReady: () => string[];
}

export function createServer(parts: ServerParts): PublicServer {
  return new PublicServer({ http: httpOptions(parts), webSocket: webSocketOptions(parts) });
}

function httpOptions(parts: ServerParts): HttpOptions {
  const { config, edge, metrics } = parts;
  const signing = signingKey(config);
  const api = createApi({
    tokens: tokenHandler({
      allowed: (origin) => edge.origins.has(origin),
      keyId: signing.id,
      key: signing.secret,
      tokensPerAddress: config.GATEWAY_TOKENS_PER_ADDRESS,
    }),
    pages: pagesHandler(readPages(config.publicDir)),
    allowed: (origin) => edge.origins.has(origin),
    languages: () => parts.catalog.languages,
    notReady: parts.notReady,
    requestsPerAddress: config.GATEWAY_HTTP_PER_ADDRESS,
  });
  const refusals = {
    too_large: httpError('code_too_large', { message: `a body is at most ${MAX_BODY_BYTES} bytes` }),
    busy: httpError('overloaded'),
    fault: httpError('internal'),
  };
  const counted = <A extends { status: number }>(answer: A): A => {
    metrics.httpAnswered(answer.status);
    return answer;
  };
  return {
    handle: (request) => counted(api(request)),
    refuse: (why) => counted(refusals[why]),
    maxBodyBytes: MAX_BODY_BYTES,
    addressOf: (given) => clientAddress(config, given),
    onFault: (error) => parts.logger.error({ err: error }, 'http handler failed'),
  };
}

function webSocketOptions(parts: ServerParts): WebSocketOptions {
  const { config, edge, sessions, metrics } = parts;
  const { secret } = signingKey(config);
  return {
    clientOf: ({ remote, forwarded, origin }): Client => {
      const address = clientAddress(config, { remote, forwarded });
      const siteHash = origin === '' ? '' : hashAddress(origin, secret);
      return { origin, address, addressHash: hashAddress(address, secret), siteHash };
    },
    // A page always sends its origin. A client without one is no page, and needs a token that was signed for it.
    originAllowed: (origin) => origin === '' || edge.origins.has(origin),
    room: (address) => sessions.room(address),
    open: (client, socket) => {
      metrics.socketOpened();
      return sessions.open(client, socket);
    },
    closed: (session) => sessions.closed(session),
    onClose: (code) => metrics.socketClosed(code),
    onFault: (error) => parts.logger.error({ err: error }, 'socket handler failed'),
    maxBackpressureBytes: config.GATEWAY_OUTBOX_BYTES + OUTBOX_MARGIN_BYTES,
  };
}

function clientAddress(config: GatewayConfig, given: { remote: Uint8Array; forwarded: string }): string {
  const forwarded = forwardedAddress({ header: given.forwarded, trustedProxies: config.GATEWAY_TRUSTED_PROXIES });
  return forwarded ?? addressOf(given.remote);
}

function signingKey(config: GatewayConfig): { id: string; secret: string } {
  const [[id, secret] = ['', '']] = config.tokenKeys;
  return { id, secret };
}
