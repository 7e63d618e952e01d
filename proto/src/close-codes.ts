// The closed table of WebSocket close codes: how a socket ends, and whether the client should connect again.

export interface CloseInfo {
  readonly code: number;
  /** Reason sent in the close frame (at most 123 bytes, RFC 6455 section 5.5). */
  readonly reason: string;
  readonly meaning: string;
  /** true: connect again (with back-off); false: doing the same again ends the same way. */
  readonly reconnect: boolean;
}

export const CLOSE = {
  restart: { code: 1012, reason: 'restart', meaning: 'The gateway is restarting.', reconnect: true },
  slowClient: {
    code: 4008,
    reason: 'slow client',
    meaning: 'The client does not read what it is sent.',
    reconnect: true,
  },
  badFrame: {
    code: 4400,
    reason: 'bad frame',
    meaning: 'Binary, not JSON, not an object with an event name, or nested deeper than 8 levels.',
    reconnect: false,
  },
  unauthorized: {
    code: 4401,
    reason: 'unauthorized',
    meaning: 'Too many refused tokens on one socket.',
    reconnect: false,
  },
  origin: {
    code: 4403,
    reason: 'origin not allowed',
    meaning: 'The page’s origin is not on the list; sent right after the upgrade, so that a browser can see it.',
    reconnect: false,
  },
  firstFrame: {
    code: 4408,
    reason: 'first frame timeout',
    meaning: 'No frame came in the first while after the upgrade.',
    reconnect: true,
  },
  idle: {
    code: 4409,
    reason: 'idle',
    meaning: 'No frame came for a long time and no run lives on the socket.',
    reconnect: true,
  },
  tooLarge: {
    code: 4413,
    reason: 'frame too large',
    meaning: 'A frame over 256 KB. One far over it ends without a close code.',
    reconnect: false,
  },
  rate: {
    code: 4429,
    reason: 'too many frames',
    meaning: 'More frames a second than hello tells, or too many sockets from one address.',
    reconnect: true,
  },
} as const satisfies Record<string, CloseInfo>;

export type CloseName = keyof typeof CLOSE;
