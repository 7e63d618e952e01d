// The /ws route: upgrade checks, then one session per socket.
import { Buffer } from 'node:buffer';
import type { CloseName } from '@rungrid/proto/close-codes';
import { MAX_FRAME_BYTES, SUBPROTOCOL } from '@rungrid/proto/limits';
import type { Session } from '../session/session.js';
import type { Client, SessionSocket } from '../session/types.js';
import { engine, type HttpRequest, type HttpResponse, type us_socket_context_t, type WebSocket } from './engine.js';
import { UwsSocket } from './socket.js';

/** Largest message that the engine takes: above our own limit, so that a frame somewhat too large gets a clean 4413. */
const MAX_PAYLOAD_BYTES = 1_048_576;
/**
 * A peer that is silent for this long, pings unanswered, counts as disconnected, s. The engine derives from it how long it waits for a pong,
 * and for a peer to close after a close frame: 8 s, which bounds what a flood costs after its close code.
 */
const IDLE_TIMEOUT_S = 24;

export interface WebSocketOptions {
  /** How a client's address is written, given the peer's bytes and X-Forwarded-For. */
  readonly clientOf: (given: { remote: Uint8Array; forwarded: string; origin: string }) => Client;
  readonly originAllowed: (origin: string) => boolean;
  readonly room: (address: string) => 'ok' | 'address_full' | 'all_full';
  readonly open: (client: Client, socket: SessionSocket) => Session;
  readonly closed: (session: Session) => void;
  /** A socket closed: its code, as the engine gives it. */
  readonly onClose: (code: number) => void;
  /** A handler threw: a fault of ours. */
  readonly onFault: (error: unknown) => void;
  /** The engine buffers so many unsent bytes at most; it drops what comes after. */
  readonly maxBackpressureBytes: number;
}

interface UserData {
  readonly client: Client;
  /** Why the socket is closed right after the upgrade: a browser sees close codes, and no failed upgrade's status. */
  readonly refuse: CloseName | undefined;
  socket?: UwsSocket<UserData>;
  session?: Session;
}
type Ws = WebSocket<UserData>;

/** The behavior for `app.ws`. */
export function webSocketBehavior(options: WebSocketOptions) {
  return {
    compression: engine.DISABLED,
    maxPayloadLength: MAX_PAYLOAD_BYTES,
    maxBackpressure: options.maxBackpressureBytes,
    idleTimeout: IDLE_TIMEOUT_S,
    sendPingsAutomatically: true,
    upgrade: (response: HttpResponse, request: HttpRequest, context: us_socket_context_t) => {
      // The engine ends the process when this handler returns without an upgrade, an answer or this.
      response.onAborted(() => undefined);
      try {
        upgrade(options, { response, request, context });
      } catch (error) {
        options.onFault(error);
        response.close();
      }
    },
    open: guarded(options, (ws) => open(options, ws)),
    message: guarded(options, (ws, message: ArrayBuffer, isBinary: boolean) => receive(ws, { message, isBinary })),
    ping: guarded(options, (ws) => ws.getUserData().session?.control()),
    pong: guarded(options, (ws) => ws.getUserData().session?.control()),
    drain: guarded(options, (ws) => ws.getUserData().session?.drained()),
    close: (ws: Ws, code: number) => {
      const data = ws.getUserData();
      data.socket?.forget();
      try {
        if (data.session !== undefined) options.closed(data.session);
        options.onClose(code);
      } catch (error) {
        options.onFault(error);
      }
    },
  };
}

/** A handler whose exception costs its own socket only: the engine would end the process. */
function guarded<A extends unknown[]>(options: WebSocketOptions, handler: (ws: Ws, ...args: A) => void) {
  return (ws: Ws, ...args: A) => {
    const { socket } = ws.getUserData();
    try {
      handler(ws, ...args);
    } catch (error) {
      options.onFault(error);
      socket?.destroy();
    }
  };
}

function receive(ws: Ws, given: { message: ArrayBuffer; isBinary: boolean }): void {
  const { session } = ws.getUserData();
  if (session === undefined) return;
  if (given.isBinary) session.close('badFrame');
  else if (given.message.byteLength > MAX_FRAME_BYTES) session.close('tooLarge');
  // The engine has checked that it is UTF-8; decoding copies it out of the engine's memory.
  else session.text(Buffer.from(given.message).toString('utf8'));
}

function upgrade(
  options: WebSocketOptions,
  given: { response: HttpResponse; request: HttpRequest; context: us_socket_context_t },
): void {
  const { response, request, context } = given;
  const origin = request.getHeader('origin');
  const client = options.clientOf({
    remote: new Uint8Array(response.getRemoteAddress()),
    forwarded: request.getHeader('x-forwarded-for'),
    origin,
  });
  const room = options.room(client.address);
  if (room === 'all_full') {
    response.cork(() => {
      response.writeStatus('503 Service Unavailable').writeHeader('retry-after', '2').end('', true);
    });
    return;
  }
  let refuse: CloseName | undefined;
  if (!options.originAllowed(origin)) refuse = 'origin';
  else if (room === 'address_full') refuse = 'rate';
  const offered = request.getHeader('sec-websocket-protocol').split(',');
  response.upgrade<UserData>(
    { client, refuse },
    request.getHeader('sec-websocket-key'),
    offered.some((name) => name.trim() === SUBPROTOCOL) ? SUBPROTOCOL : '',
    request.getHeader('sec-websocket-extensions'),
    context,
  );
}

function open(options: WebSocketOptions, ws: Ws): void {
  const data = ws.getUserData();
  const socket = new UwsSocket<UserData>(ws);
  if (data.refuse !== undefined) {
    socket.close(data.refuse);
    return;
  }
  data.socket = socket;
  data.session = options.open(data.client, socket);
}
