// The other end of a client in its tests: sockets that record what is sent, and say what the test lets them say.
import { Client, type ClientOptions } from '../client.js';
import type { SocketLike } from '../connection.js';
import type { CloseDetails } from '../reconnect.js';

interface Listeners {
  message: (event: { data: unknown }) => void;
  close: (event: CloseDetails) => void;
  error: (event: { message?: string }) => void;
}

export class FakeSocket implements SocketLike {
  readonly frames: { event: string; data: Record<string, unknown> }[] = [];
  isPaused = false;
  closedWith: number | undefined;
  readonly #listeners: Partial<Listeners> = {};

  send(text: string): void {
    this.frames.push(JSON.parse(text) as FakeSocket['frames'][number]);
  }
  close(code = 1005): void {
    this.closedWith = code;
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  addEventListener<T extends keyof Listeners>(type: T, listener: Listeners[T]): void {
    this.#listeners[type] = listener;
  }

  say(event: string, data: unknown = {}): void {
    this.#listeners.message?.({ data: JSON.stringify({ event, data }) });
  }
  /** Lets a run that was sent start, as the gateway says it. */
  start(run: string): void {
    this.say('queued', { run, position: 0 });
    this.say('started', { run, language: 'python', version: '3', warm: true, resume_key: `key-${run}`, seq: 1 });
  }
  hello(): void {
    this.say('hello', { protocol: 1, limits: { resume_ms: 30_000, frames_per_second: 100 }, languages: [] });
  }
  /** Answers the pings so far that have no answer yet. */
  pong(): void {
    for (const { data } of this.sent('ping').splice(this.#pongs)) {
      this.#pongs++;
      this.say('pong', data);
    }
  }
  #pongs = 0;
  lose(code = 1006, reason = ''): void {
    this.#listeners.close?.({ code, reason });
  }

  /** What was sent of one event. */
  sent(event: string): FakeSocket['frames'] {
    return this.frames.filter((frame) => frame.event === event);
  }
}

export interface Rig {
  readonly client: Client;
  readonly sockets: FakeSocket[];
  /** The youngest socket. */
  readonly socket: () => FakeSocket;
  readonly states: string[];
}

/** A client over fake sockets, without heartbeats unless they are asked for. */
export function rig(options: Partial<ClientOptions> = {}): Rig {
  const sockets: FakeSocket[] = [];
  const states: string[] = [];
  const client = new Client({
    url: 'ws://gateway/ws',
    heartbeatMs: 0,
    ...options,
    socket: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      return socket;
    },
    onState: ({ kind }) => states.push(kind),
  });
  const socket = () => {
    const last = sockets.at(-1);
    if (last === undefined) throw new Error('no socket was opened');
    return last;
  };
  return { client, sockets, socket, states };
}
