// For tests of the port: an echo server behind it, and callers that write down what they receive.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createSecureContext } from 'node:tls';
import { Client, type ClientDuplexStream, credentials, Metadata, type StatusObject } from '@grpc/grpc-js';
import { authorizationOf, type GrpcSecurity } from '@rungrid/kit/grpc-security';
import type { RunEvent, RunInput } from '@rungrid/proto/gen/rungrid/v1/runner';
import { RUN_METHOD } from '@rungrid/proto/method';
import { until } from '@rungrid/testkit/until';
import { type Call, type GrpcPort, type GrpcPortOptions, openGrpcPort } from './port.js';

export const OPEN: GrpcSecurity = { secrets: [], tls: undefined };

/** What the server has of a call. */
export interface Served {
  readonly call: Call;
  received: number;
  /** It has ended, whichever side began. */
  over: boolean;
}

export interface EchoServer extends GrpcPort {
  readonly address: string;
  readonly served: Served[];
}

/** Answers stdin with stdout, ends with OK when the caller has, and on the signal `N` with status N. */
export async function startEcho(options: Partial<GrpcPortOptions> = {}): Promise<EchoServer> {
  const served: Served[] = [];
  const port = await openGrpcPort({
    host: '127.0.0.1',
    port: 0,
    security: OPEN,
    maxStreams: 100,
    serve: (call) => {
      const one: Served = { call, received: 0, over: false };
      served.push(one);
      call.on('data', ({ input }: RunInput) => {
        one.received += 1;
        if (input?.$case === 'signal')
          call.emit('error', { code: Number(input.value.name), details: 'as asked for: é%' });
        if (input?.$case === 'stdin') call.write({ seq: 0, event: { $case: 'stdout', value: input.value } });
      });
      call.on('end', () => call.end());
      for (const name of ['cancelled', 'error', 'end']) call.on(name, () => void (one.over = true));
    },
    ...options,
  });
  return { ...port, address: `127.0.0.1:${port.port}`, served };
}

export interface Caller {
  readonly call: ClientDuplexStream<RunInput, RunEvent>;
  readonly received: string[];
  /** How it ended; there is one at most. */
  readonly ends: StatusObject[];
  say(text: string): void;
}

export function openClient(address: string, given: { security?: GrpcSecurity; serverName?: string } = {}): Client {
  const { security = OPEN, serverName } = given;
  const creds =
    security.tls === undefined
      ? credentials.createInsecure()
      : credentials.createFromSecureContext(createSecureContext({ ...security.tls }));
  return new Client(`dns:${address}`, creds, {
    'grpc.use_local_subchannel_pool': 1,
    ...(serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName }),
  });
}

export function startCall(client: Client, security: GrpcSecurity = OPEN): Caller {
  const metadata = new Metadata();
  const authorization = authorizationOf(security);
  if (authorization !== undefined) metadata.set('authorization', authorization);
  const { path, requestSerialize, responseDeserialize } = RUN_METHOD;
  const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
  const caller: Caller = {
    call,
    received: [],
    ends: [],
    say: (text) => void call.write({ input: { $case: 'stdin', value: Buffer.from(text) } }),
  };
  call.on('data', ({ event }: RunEvent) => {
    if (event?.$case === 'stdout') caller.received.push(event.value.toString());
  });
  call.on('error', () => undefined);
  call.on('status', (status) => void caller.ends.push(status));
  return caller;
}

/** How a call with these options ends that is ended after the first answer. */
export async function tryEcho(address: string, given: { security?: GrpcSecurity; serverName?: string } = {}) {
  const client = openClient(address, given);
  try {
    const caller = startCall(client, given.security);
    caller.say('hello');
    caller.call.end();
    await until(() => caller.ends.length > 0, { what: 'the status' });
    return caller.ends[0] as StatusObject;
  } finally {
    client.close();
  }
}

/** A TCP connection without a protocol; the response is read and dropped. */
export async function openRaw(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  socket.resume();
  return socket;
}
