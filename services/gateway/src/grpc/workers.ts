// Kept-open gRPC channels, one per worker address: opened as workers announce themselves, closed when they are gone and idle.
import { credentials } from '@grpc/grpc-js';
import type { Logger } from '@rungrid/kit/logger';
import { RunnerClient } from '@rungrid/proto/gen/rungrid/v1/runner';
import type { Offer, OpenStream, RunStream, RunStreamHandlers, TakeStream } from '../routing/types.js';
import { ParkedCalls } from './parked.js';
import { type RunCall, wrapCall } from './run-stream.js';

/** Most channels at once. Past it, a run of a worker that has none is refused. */
const MAX_CHANNELS = 256;

const CHANNEL_OPTIONS = {
  // A dead peer is known within 15 s, also while no run is on it.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5000,
  'grpc.keepalive_permit_without_calls': 1,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2000,
  // A run is never sent twice behind our back, and a worker is dialled where it says, not through a proxy.
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
  'grpc.max_receive_message_length': 1_048_576,
};

interface Entry {
  readonly client: RunnerClient;
  readonly parked: ParkedCalls;
  live: number;
  announced: boolean;
}

export interface WorkerChannelsOptions {
  /** Whose runs workers may put on the streams that are opened ahead. */
  readonly gatewayId: string;
  /** A worker has put a run on such a stream. In this turn it must be taken. */
  readonly onAssigned: (offer: Offer & { readonly take: TakeStream }) => void;
  readonly logger: Logger;
}

export class WorkerChannels {
  readonly #entries = new Map<string, Entry>();
  readonly #options: WorkerChannelsOptions;

  constructor(options: WorkerChannelsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Streams that are open now. */
  get streams(): number {
    let sum = 0;
    for (const entry of this.#entries.values()) sum += entry.live;
    return sum;
  }

  /** Takes over who is alive: connects ahead of the first run, and lets go of those that have vanished. */
  announced(addresses: readonly string[]): void {
    const alive = new Set(addresses);
    for (const address of alive) {
      const entry = this.#entry(address);
      if (entry === undefined) continue;
      entry.announced = true;
      // Asking for the state of an idle channel makes it connect, the first time and after a loss.
      entry.client.getChannel().getConnectivityState(true);
      entry.parked.fill();
    }
    for (const [address, entry] of this.#entries) {
      if (alive.has(address)) continue;
      entry.announced = false;
      this.#closeIfIdle(address, entry);
    }
  }

  readonly open: OpenStream = (address, handlers) => {
    const entry = this.#entry(address);
    if (entry === undefined) {
      const timer = setImmediate(() => handlers.end({ kind: 'lost', message: 'too many worker channels' }));
      const drop = () => clearImmediate(timer);
      return { send: () => undefined, pause: () => undefined, resume: () => undefined, finish: drop, cancel: drop };
    }
    return this.#wrap(address, { entry, call: entry.client.run(), handlers });
  };

  close(): void {
    for (const entry of this.#entries.values()) {
      entry.parked.close();
      entry.client.close();
    }
    this.#entries.clear();
  }

  #entry(address: string): Entry | undefined {
    const known = this.#entries.get(address);
    if (known !== undefined) return known;
    if (this.#entries.size >= MAX_CHANNELS) {
      this.#options.logger.error({ address, max: MAX_CHANNELS }, 'too many worker channels');
      return undefined;
    }
    const client = new RunnerClient(address, credentials.createInsecure(), CHANNEL_OPTIONS);
    const { gatewayId, onAssigned } = this.#options;
    const parked = new ParkedCalls({
      gatewayId,
      open: () => client.run(),
      onAssigned: ({ runId: run, epoch }, { call, first }) =>
        onAssigned({
          run,
          epoch,
          worker: address,
          first,
          take: (handlers) => this.#wrap(address, { entry, call, handlers }),
        }),
    });
    // A claim may name a worker before its announcement is read: it counts as announced until the next reading.
    const entry: Entry = { client, parked, live: 0, announced: true };
    this.#entries.set(address, entry);
    return entry;
  }

  #wrap(address: string, given: { entry: Entry; call: RunCall; handlers: RunStreamHandlers }): RunStream {
    const { entry, call, handlers } = given;
    entry.live += 1;
    return wrapCall(call, {
      handlers,
      onClosed: () => {
        entry.live -= 1;
        this.#closeIfIdle(address, entry);
      },
    });
  }

  #closeIfIdle(address: string, entry: Entry): void {
    if (entry.announced || entry.live > 0 || this.#entries.get(address) !== entry) return;
    this.#entries.delete(address);
    entry.parked.close();
    entry.client.close();
  }
}
