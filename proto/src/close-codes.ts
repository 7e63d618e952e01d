// The closed table of WebSocket close codes: how a socket ends, and whether the client should connect again.

export interface CloseInfo {
  readonly code: number;
  /** Reason sent in the close frame (at most 123 bytes, RFC 6455 section 5.5). */
  readonly reason: string;
  readonly meaning: string;
  /** true: connect again (with back-off); false: the same attempt would end the same way. */
  readonly reconnect: boolean;
}

export const CLOSE = {
  restart: { code: 1012, reason: 'restart', meaning: 'The gateway is restarting.', reconnect: true },
  slowClient: {
    code: 4008,
    reason: 'slow client',
    meaning: 'The client did not read what it was sent for too long.',
    reconnect: true,
  },
  badFrame: {
    code: 4400,
    reason: 'bad frame',
    meaning: 'The frame is binary, not JSON, not an object with an event name, or nested deeper than 8 levels.',
    reconnect: false,
  },
  unauthorized: {
    code: 4401,
    reason: 'unauthorized',
    meaning: 'Too many tokens were refused on this socket.',
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
    meaning: 'No frame arrived in time after the upgrade.',
    reconnect: true,
  },
  idle: {
    code: 4409,
    reason: 'idle',
    meaning: 'No frame arrived for a long time, and no run is live on the socket.',
    reconnect: true,
  },
  tooLarge: {
    code: 4413,
    reason: 'frame too large',
    meaning: 'A frame exceeded 256 KB. A frame over 1 MB ends the socket without a close code.',
    reconnect: false,
  },
  rate: {
    code: 4429,
    reason: 'too many frames',
    meaning: 'More frames a second than hello allows, or too many sockets from one address.',
    reconnect: true,
  },
} as const satisfies Record<string, CloseInfo>;

export type CloseName = keyof typeof CLOSE;
