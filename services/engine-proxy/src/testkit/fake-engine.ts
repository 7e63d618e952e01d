// For tests: an engine on a unix socket that keeps every byte it receives, and a proxy in front of it.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Lifecycle } from '@rungrid/kit/lifecycle';
import { createLogger } from '@rungrid/kit/logger';
import { startProxy } from '../app.js';
import { readProxyConfig } from '../config.js';

/** Answers one request. Undefined: it gets no answer. Null: from here on the handler owns the socket, and ends it. */
export type Handler = (head: string, socket: Socket) => string | undefined | null;

export function answerOf(status: number, value: unknown): string {
  const body = typeof value === 'string' ? value : JSON.stringify(value);
  return `HTTP/1.1 ${status} X\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export class FakeEngine {
  readonly path: string;
  /** All bytes of all connections, in the order of arrival. */
  seen = '';
  readonly sockets = new Set<Socket>();
  readonly #server: Server;

  private constructor(path: string, handler: Handler) {
    this.path = path;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.add(socket);
      socket.once('close', () => this.sockets.delete(socket));
      socket.on('error', () => socket.destroy());
      let pending = '';
      const onData = (chunk: Buffer) => {
        this.seen += chunk.toString('latin1');
        pending += chunk.toString('latin1');
        const end = pending.indexOf('\r\n\r\n');
        if (end === -1) return;
        const head = pending.slice(0, end);
        const length = Number(/content-length: (\d+)/i.exec(head)?.[1] ?? 0);
        if (pending.length < end + 4 + length) return;
        pending = pending.slice(end + 4 + length);
        const answer = handler(head, socket);
        if (typeof answer === 'string') socket.write(answer);
        else socket.off('data', onData);
        if (answer === null) socket.off('end', onEnd);
      };
      const onEnd = () => socket.end();
      // Without a reader the end would go unnoticed.
      socket.on('data', onData).on('end', onEnd).resume();
    });
  }

  static async start(path: string, handler: Handler): Promise<FakeEngine> {
    const engine = new FakeEngine(path, handler);
    await new Promise<void>((resolve) => engine.#server.listen(path, resolve));
    return engine;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

export interface Bench {
  readonly engine: FakeEngine;
  readonly socket: string;
  readonly metrics: string;
  readonly log: () => string;
  /** Ends the proxy only. */
  closeProxy(): Promise<void>;
  close(): Promise<void>;
}

/** A proxy over a fake engine. */
export async function startBench(handler: Handler, env: Record<string, string> = {}): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'rungrid-proxy-'));
  const engine = await FakeEngine.start(join(folder, 'docker.sock'), handler);
  const socket = join(folder, 'proxy.sock');
  let log = '';
  const destination = { write: (text: string) => void (log += text) };
  const logger = createLogger({ service: 'engine-proxy', level: 'info', destination });
  const lifecycle = new Lifecycle(logger);
  const config = readProxyConfig({ ENGINE_PROXY_SOCKET: socket, ENGINE_PROXY_ENGINE: engine.path, ...env });
  const close = async () => {
    await lifecycle.close();
    await engine.close();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const { metrics } = await startProxy(config, { logger, lifecycle });
    return { engine, socket, metrics, log: () => log, closeProxy: () => lifecycle.close(), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A raw client of the proxy. */
export class RawClient {
  readonly socket: Socket;
  received = '';
  /** The proxy has ended its side, or all of it. */
  ended = false;

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true });
    this.socket.on('data', (chunk: Buffer) => {
      this.received += chunk.toString('latin1');
    });
    this.socket.on('error', () => this.socket.destroy());
    this.socket.once('end', () => {
      this.ended = true;
    });
    this.socket.once('close', () => {
      this.ended = true;
    });
  }

  /** Status codes of the answers so far. */
  get statuses(): number[] {
    return [...this.received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
  }
}
