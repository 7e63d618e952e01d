// The page's one socket: connects, answers, comes back with back-off as the close table says, and sleeps when unused.
import { FINAL_CLOSES, IDLE_CLOSE } from './explain.js';

/** First and longest pause before connecting again, ms. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
/** How long a token is kept for the next click, ms: well inside its window of 5 min. */
const TOKEN_KEEP_MS = 180_000;

/** @typedef {'connecting' | 'open' | 'asleep' | 'closed'} State */
/** @typedef {{ event: string, data: any }} Frame */
/** @typedef {{ onFrame: (frame: Frame) => void, onState: (state: State, why: string) => void }} Handlers */

export class Connection {
  /** @type {WebSocket | undefined} */
  #socket;
  /** @type {State} */
  #state = 'connecting';
  #tries = 0;
  #timer = 0;
  /** Pause that a draining server asked for, ms. */
  #askedPauseMs = 0;
  /** @type {Handlers} */
  #handlers;

  /** @param {Handlers} handlers */
  constructor(handlers) {
    this.#handlers = handlers;
  }

  /** Connects, and from then on stays connected. */
  start() {
    this.#connect();
    addEventListener('online', () => {
      if (this.#state === 'connecting') this.#connect();
    });
  }

  get state() {
    return this.#state;
  }

  /** Wakes a sleeping connection. */
  wake() {
    if (this.#state === 'asleep') this.#connect();
  }

  /**
   * @param {string} event
   * @param {object} data
   * @returns {boolean} whether it went out
   */
  send(event, data) {
    if (this.#state !== 'open' || this.#socket === undefined) return false;
    this.#socket.send(JSON.stringify({ event, data }));
    return true;
  }

  #connect() {
    clearTimeout(this.#timer);
    this.#socket?.close();
    const url = new URL('ws', location.href);
    url.protocol = url.protocol.replace('http', 'ws');
    const socket = new WebSocket(url, 'rungrid.v1');
    this.#socket = socket;
    this.#setState('connecting', 'Connecting…');
    socket.addEventListener('message', (message) => {
      if (socket === this.#socket) this.#onMessage(message);
    });
    socket.addEventListener('close', (close) => {
      if (socket === this.#socket) this.#onClose(close.code);
    });
  }

  /** @param {MessageEvent<string>} message */
  #onMessage(message) {
    /** @type {Frame} */
    const frame = JSON.parse(message.data);
    if (frame.event === 'hello') {
      this.#tries = 0;
      this.#setState('open', 'Connected');
      // A first frame, so that the server knows that somebody is there.
      this.send('ping', {});
    }
    if (frame.event === 'draining') this.#askedPauseMs = frame.data.reconnect_after_ms;
    this.#handlers.onFrame(frame);
  }

  /** @param {number} code */
  #onClose(code) {
    this.#socket = undefined;
    const final = FINAL_CLOSES[code];
    if (final !== undefined) {
      this.#setState('closed', final);
    } else if (code === IDLE_CLOSE) {
      this.#setState('asleep', 'Idle; reconnects at the next run');
    } else {
      const backOffMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#tries++);
      const pauseMs = this.#askedPauseMs + backOffMs * (0.5 + Math.random() / 2);
      this.#askedPauseMs = 0;
      this.#timer = setTimeout(() => this.#connect(), pauseMs);
      this.#setState('connecting', 'Reconnecting…');
    }
  }

  /**
   * @param {State} state
   * @param {string} why
   */
  #setState(state, why) {
    this.#state = state;
    this.#handlers.onState(state, why);
  }
}

/** Tokens for runs: one is fetched ahead, so that a click does not wait for it. */
export class TokenStock {
  /** @type {{ token: Promise<string>, atMs: number } | undefined} */
  #next;

  /** Fetches the next one, unless a fresh one is there. */
  prepare() {
    if (this.#next !== undefined && performance.now() - this.#next.atMs < TOKEN_KEEP_MS) return;
    const token = fetchToken();
    // A failure is told at the click that needs the token.
    token.catch(() => {
      if (this.#next?.token === token) this.#next = undefined;
    });
    this.#next = { token, atMs: performance.now() };
  }

  /** @returns {Promise<string>} a token that nobody else gets */
  take() {
    this.prepare();
    const token = this.#next?.token ?? fetchToken();
    this.#next = undefined;
    return token;
  }
}

async function fetchToken() {
  const response = await fetch(new URL('v1/token', location.href), { method: 'POST' });
  const body = await response.json();
  if (!response.ok) throw new Error(body?.error?.message ?? `the server answered ${response.status}`);
  return body.token;
}
