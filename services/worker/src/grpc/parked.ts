// The streams that gateways have opened ahead of their runs, by gateway: a claimed run's events leave at once, without waiting for an attach.

/** Streams kept of one gateway; past it a further one is refused. Far above what a gateway parks. */
const MAX_PER_GATEWAY = 64;
/** Gateways at most; past it the streams of a further one are refused. */
const MAX_GATEWAYS = 1024;

/** Generic over the stream, of which nothing is asked here. */
export class ParkedStreams<Stream> {
  readonly #byGateway = new Map<string, Stream[]>();

  /** false: there is no room for it. */
  add(gatewayId: string, stream: Stream): boolean {
    const streams = this.#byGateway.get(gatewayId);
    if (streams === undefined) {
      if (this.#byGateway.size >= MAX_GATEWAYS) return false;
      this.#byGateway.set(gatewayId, [stream]);
      return true;
    }
    if (streams.length >= MAX_PER_GATEWAY) return false;
    streams.push(stream);
    return true;
  }

  /** The one that has waited longest; it is the caller's from then on. */
  take(gatewayId: string): Stream | undefined {
    const streams = this.#byGateway.get(gatewayId);
    const stream = streams?.shift();
    if (streams?.length === 0) this.#byGateway.delete(gatewayId);
    return stream;
  }

  /** The stream has ended. One that was taken changes nothing. */
  remove(gatewayId: string, stream: Stream): void {
    const streams = this.#byGateway.get(gatewayId);
    const index = streams?.indexOf(stream) ?? -1;
    if (streams === undefined || index === -1) return;
    streams.splice(index, 1);
    if (streams.length === 0) this.#byGateway.delete(gatewayId);
  }
}
