// A TCP proxy on a loopback port: forwards, and on a test's word lets nothing through, or resets what goes through it.
import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';

interface Pair {
  readonly inner: Socket;
  readonly outer: Socket;
}

export class TcpProxy {
  readonly port: number;
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #cut = false;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  /** In front of a port of this machine, which need not listen yet. */
  static async start(targetPort: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const proxy = new TcpProxy(server);
    server.on('connection', (socket) => proxy.#accept(socket, targetPort));
    return proxy;
  }

  /** host:port of the proxy. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections that live. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** From now on nothing gets through, silently: connections stay open, new ones too. */
  cut(): void {
    this.#cut = true;
    for (const { inner, outer } of this.#pairs) for (const socket of [inner, outer]) socket.pause();
  }

  /** What was held back goes on, as a network does after a partition. */
  restore(): void {
    this.#cut = false;
    for (const { inner, outer } of this.#pairs) for (const socket of [inner, outer]) socket.resume();
  }

  /** Both ends of every connection get a reset. */
  reset(): void {
    for (const { inner, outer } of this.#pairs) for (const socket of [inner, outer]) socket.resetAndDestroy();
  }

  async close(): Promise<void> {
    for (const { inner, outer } of this.#pairs) for (const socket of [inner, outer]) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #accept(outer: Socket, targetPort: number): void {
    const inner = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    outer.setNoDelay(true);
    const pair = { inner, outer };
    this.#pairs.add(pair);
    this.#forward(pair, { from: outer, to: inner });
    this.#forward(pair, { from: inner, to: outer });
    if (this.#cut) for (const socket of [inner, outer]) socket.pause();
  }

  #forward(pair: Pair, { from, to }: { from: Socket; to: Socket }): void {
    from.on('data', (chunk: Buffer) => {
      if (to.destroyed || to.write(chunk)) return;
      from.pause();
      to.once('drain', () => {
        if (!this.#cut) from.resume();
      });
    });
    from.on('end', () => to.end());
    from.on('error', () => to.resetAndDestroy());
    from.on('close', () => {
      this.#pairs.delete(pair);
      to.destroySoon();
    });
  }
}
