// For tests of the transport: a method of plain texts, an echo server, a channel and a call that write down what they hear.
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Codec, type Method, PREFIX_BYTES } from '@rungrid/proto/method';
import { Channel, type ChannelOptions } from './channel.js';
import type { Call } from './client-call.js';
import type { GrpcSecurity } from './security.js';
import { type GrpcServer, type GrpcServerOptions, startServer } from './server.js';
import type { ServerCall, ServerHandlers } from './server-call.js';
import { STATUS, type Status } from './status.js';

const text: Codec<string> = {
  encode: (message) => Buffer.concat([Buffer.alloc(PREFIX_BYTES), Buffer.from(message)]),
  decode: (bytes) => {
    const message = Buffer.from(bytes).toString();
    if (message === 'not a message') throw new Error('as asked for');
    return message;
  },
};
export const ECHO: Method<string, string> = { path: '/test.Echo/Echo', request: text, response: text };
export const OPEN: GrpcSecurity = { secrets: [], tls: undefined };
export const MAX_BYTES = 100_000;

/** What a server's call heard. */
export interface Served {
  readonly call: ServerCall<string, string>;
  readonly heard: string[];
  drains: number;
  halfClosed: boolean;
  gone: number;
}

export interface EchoServer extends GrpcServer {
  readonly address: string;
  readonly served: Served[];
}

/**
 * Answers each message with itself, ends with OK when the caller has, and on `end CODE` with that status. Messages that begin with `-`
 * are not answered; after `-stay` it does not end when the caller has.
 */
export async function startEcho(options: Partial<GrpcServerOptions<string, string>> = {}): Promise<EchoServer> {
  const served: Served[] = [];
  const server = await startServer<string, string>({
    host: '127.0.0.1',
    port: 0,
    security: OPEN,
    method: ECHO,
    maxMessageBytes: MAX_BYTES,
    maxStreams: 100,
    onCall: (call) => {
      const one: Served = { call, heard: [], drains: 0, halfClosed: false, gone: 0 };
      served.push(one);
      return echo(one);
    },
    ...options,
  });
  return { ...server, address: `127.0.0.1:${server.port}`, served };
}

function echo(one: Served): ServerHandlers<string> {
  return {
    message: (message) => {
      one.heard.push(message);
      const end = /^end (\d+)$/.exec(message);
      if (end !== null) one.call.end({ code: Number(end[1]), details: 'as asked for: é%\n' });
      else if (!message.startsWith('-')) one.call.write(message);
    },
    drain: () => void (one.drains += 1),
    halfClosed: () => {
      one.halfClosed = true;
      if (one.heard.at(-1) !== '-stay') one.call.end();
    },
    gone: () => void (one.gone += 1),
  };
}

export interface Caller {
  readonly call: Call<string, string>;
  readonly heard: string[];
  /** How it ended, in full and in order; there is one at most. */
  readonly ends: Status[];
}

export function startCall(channel: Channel): Caller {
  const caller: Caller = { call: channel.call(ECHO), heard: [], ends: [] };
  caller.call.listen({
    message: (message) => void caller.heard.push(message),
    end: (status) => void caller.ends.push(status),
  });
  return caller;
}

export function openChannel(address: string, options: Partial<ChannelOptions> = {}): Channel {
  return new Channel({ address, security: OPEN, maxMessageBytes: MAX_BYTES, ...options });
}

/** Whether a call with these options is answered; otherwise its status. Waits for either. */
export async function tryEcho(address: string, options: Partial<ChannelOptions> = {}): Promise<Status> {
  const channel = openChannel(address, options);
  try {
    const caller = startCall(channel);
    caller.call.write('hello');
    await until('an answer or an end', () => caller.heard.length + caller.ends.length > 0);
    return caller.ends[0] ?? { code: STATUS.OK, details: caller.heard.join() };
  } finally {
    channel.close();
  }
}

/** A TCP connection without a protocol; what comes back is read and dropped. */
export async function openRaw(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.resume();
  return socket;
}

/** Waits until `probe` holds; rejects with its name after ten seconds. */
export async function until(what: string, probe: () => boolean): Promise<void> {
  const deadlineMs = performance.now() + 10_000;
  while (!probe()) {
    if (performance.now() > deadlineMs) throw new Error(`waited in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
