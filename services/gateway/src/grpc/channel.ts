// The channel to one worker: connects ahead of the first run, connects again after each loss, and starts calls.
import { createSecureContext } from 'node:tls';
import {
  type ChannelCredentials,
  Client,
  connectivityState,
  credentials,
  logVerbosity,
  Metadata,
  setLogVerbosity,
} from '@grpc/grpc-js';
import { authorizationOf, type GrpcSecurity } from '@rungrid/kit/grpc-security';
import { RUN_METHOD } from '@rungrid/proto/method';
import type { RunCall } from './run-stream.js';

/** How long it may take until the worker speaks HTTP/2, ms. grpc-js waits for a silent one for ever. */
const CONNECT_MS = 5000;

const OPTIONS = {
  // A dead peer is known within 15 s, also while no run is on it.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5000,
  'grpc.keepalive_permit_without_calls': 1,
  // Each wait is spread by a fifth: gateways that lost the same worker do not reconnect in one moment.
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2000,
  'grpc.dns_min_time_between_resolutions_ms': 2000,
  // A run is never sent twice unknown to us, and a worker is dialled where it says, not through a proxy.
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_channelz': 0,
  // Longest message that a worker may send, bytes; memory of its connection, MB.
  'grpc.max_receive_message_length': 1_048_576,
  'grpc-node.max_session_memory': 64,
};

export interface WorkerChannelOptions {
  /** host:port, a v6 address in brackets. */
  readonly address: string;
  readonly security: GrpcSecurity;
  /** Those of `security`. */
  readonly credentials: ChannelCredentials;
  /** Name that the worker's certificate must have. Default: the host of the address. */
  readonly serverName?: string | undefined;
  /** It is connected, for the first time or again. */
  readonly onReady: () => void;
  /** It cannot connect. */
  readonly onFailure: (reason: string) => void;
  readonly connectMs?: number;
}

/** What a gateway shows workers, and asks of them, when it connects. */
export function credentialsOf({ tls }: GrpcSecurity): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  return credentials.createFromSecureContext(createSecureContext({ ...tls, minVersion: 'TLSv1.3' }));
}

export class WorkerChannel {
  readonly #options: WorkerChannelOptions;
  readonly #metadata = new Metadata();
  #client: Client;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(options: WorkerChannelOptions) {
    // Faults of the connection are the channel's own to report.
    setLogVerbosity(logVerbosity.NONE);
    this.#options = options;
    const authorization = authorizationOf(options.security);
    if (authorization !== undefined) this.#metadata.set('authorization', authorization);
    this.#client = this.#dial();
  }

  /** The last attempt to connect has failed, and calls fail until another one succeeds. */
  get failing(): boolean {
    return !this.#closed && this.#state() === connectivityState.TRANSIENT_FAILURE;
  }

  /** Starts a call; a fault is its status. It is sent once, whatever comes of it. */
  call(): RunCall {
    const { path, requestSerialize, responseDeserialize } = RUN_METHOD;
    const call = this.#client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, this.#metadata);
    // Its status says all that is needed.
    call.on('error', () => undefined);
    return call;
  }

  /** Ends all calls and the connection. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#client.close();
  }

  #dial(): Client {
    const { address, serverName } = this.#options;
    // As an address and nothing else: not a path of a socket.
    const client = new Client(`dns:${address}`, this.#options.credentials, {
      ...OPTIONS,
      ...(serverName === undefined ? {} : { 'grpc.ssl_target_name_override': serverName }),
    });
    queueMicrotask(() => this.#watch(client));
    return client;
  }

  #watch(client: Client): void {
    if (this.#closed || client !== this.#client) return;
    const state = this.#state(true);
    if (state === connectivityState.READY) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#options.onReady();
    } else {
      this.#timer ??= setTimeout(() => this.#redial(), this.#options.connectMs ?? CONNECT_MS);
    }
    client.getChannel().watchConnectivityState(state, Infinity, () => queueMicrotask(() => this.#watch(client)));
  }

  #redial(): void {
    this.#timer = undefined;
    if (!this.failing) this.#options.onFailure('it does not answer');
    this.#client.close();
    this.#client = this.#dial();
  }

  /** `connect`: an idle channel begins to. */
  #state(connect = false): connectivityState {
    return this.#client.getChannel().getConnectivityState(connect);
  }
}
