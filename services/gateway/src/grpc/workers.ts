// Kept-open gRPC channels, one per worker address: opened as workers announce themselves, closed when they are no longer announced and idle.
import { type ChannelCredentials, status, type StatusObject } from '@grpc/grpc-js';
import type { GrpcSecurity } from '@rungrid/kit/grpc-security';
import type { Logger } from '@rungrid/kit/logger';
import type { ClaimNotice, OpenStream, RunStream, RunStreamHandlers, TakeStream } from '../routing/types.js';
import { credentialsOf, WorkerChannel } from './channel.js';
import { fromWire } from './messages.js';
import { ParkedCalls } from './parked.js';
import { type RunCall, wrapCall } from './run-stream.js';

/** Most channels at once. Past it, a run of a worker that has none is refused. */
const MAX_CHANNELS = 256;
/** How often the log reports a worker that cannot be reached or refuses this gateway, ms. */
const WARN_MS = 60_000;

interface Entry {
  readonly channel: WorkerChannel;
  readonly parked: ParkedCalls;
  live: number;
  announced: boolean;
  /** When a fault of it was last logged. */
  warnedMs: number | undefined;
}

export interface WorkerChannelsOptions {
  /** Whose runs workers may put on the streams that are opened ahead. */
  readonly gatewayId: string;
  /** How the gateway shows itself to workers, and knows them. */
  readonly security: GrpcSecurity;
  /** Name in every worker's certificate. Default: the host that it announces. */
  readonly serverName: string | undefined;
  /** A worker has put a run on such a stream. In this turn it must be taken. */
  readonly onAssigned: (notice: ClaimNotice & { readonly take: TakeStream }) => void;
  readonly logger: Logger;
}

export class WorkerChannels {
  readonly #entries = new Map<string, Entry>();
  readonly #options: WorkerChannelsOptions;
  readonly #credentials: ChannelCredentials;

  constructor(options: WorkerChannelsOptions) {
    this.#options = options;
    this.#credentials = credentialsOf(options.security);
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

  /** Takes the announced workers: connects ahead of the first run, and closes the channels of those no longer announced. */
  announced(addresses: readonly string[]): void {
    const alive = new Set(addresses);
    for (const address of alive) {
      const entry = this.#entry(address);
      if (entry === undefined) continue;
      entry.announced = true;
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
    return this.#wrap(address, { entry, call: entry.channel.call(), handlers });
  };

  close(): void {
    for (const entry of this.#entries.values()) {
      entry.parked.close();
      entry.channel.close();
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
    const { gatewayId, onAssigned, security, serverName } = this.#options;
    const channel = new WorkerChannel({
      address,
      security,
      serverName,
      credentials: this.#credentials,
      onReady: () => parked.fill(),
      onFailure: (reason) => this.#warn(address, { entry, reason }),
    });
    const parked = new ParkedCalls({
      gatewayId,
      open: () => channel.call(),
      onAssigned: ({ runId: run, epoch }, { call, first }) =>
        onAssigned({
          run,
          epoch,
          worker: address,
          first: fromWire(first),
          take: (handlers) => this.#wrap(address, { entry, call, handlers }),
        }),
      onLost: (given) => this.#onStatus(address, { entry, given }),
    });
    // A claim may name a worker before its announcement is read: it counts as announced until the next reading.
    const entry: Entry = { channel, parked, live: 0, announced: true, warnedMs: undefined };
    this.#entries.set(address, entry);
    return entry;
  }

  #wrap(address: string, given: { entry: Entry; call: RunCall; handlers: RunStreamHandlers }): RunStream {
    const { entry, call, handlers } = given;
    entry.live += 1;
    return wrapCall(call, {
      handlers,
      onClosed: (given) => {
        entry.live -= 1;
        this.#onStatus(address, { entry, given });
        this.#closeIfIdle(address, entry);
      },
    });
  }

  #closeIfIdle(address: string, entry: Entry): void {
    if (entry.announced || entry.live > 0 || this.#entries.get(address) !== entry) return;
    this.#entries.delete(address);
    entry.parked.close();
    entry.channel.close();
  }

  #onStatus(address: string, { entry, given }: { entry: Entry; given: StatusObject }): void {
    if (given.code === status.UNAUTHENTICATED)
      this.#warn(address, { entry, reason: 'it refuses this gateway: RUNGRID_GRPC_SECRET is not one of its secrets' });
    else if (entry.channel.failing) this.#warn(address, { entry, reason: given.details });
  }

  #warn(address: string, { entry, reason }: { entry: Entry; reason: string }): void {
    const nowMs = performance.now();
    if (entry.warnedMs !== undefined && nowMs - entry.warnedMs < WARN_MS) return;
    entry.warnedMs = nowMs;
    this.#options.logger.warn({ worker: address, reason }, 'worker unusable');
  }
}
