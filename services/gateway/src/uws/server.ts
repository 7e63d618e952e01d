// The public port: one app with the /ws route and everything else over HTTP.
import { engine, EXCLUSIVE_PORT, requireNativeEngine, type us_listen_socket } from './engine.js';
import { type HttpOptions, httpRoute } from './http.js';
import { type WebSocketOptions, webSocketBehavior } from './websocket.js';

export interface ServerOptions {
  readonly http: HttpOptions;
  readonly webSocket: WebSocketOptions;
}

/** The engine takes options after the port, which its typings leave out. */
type Listen = (host: string, port: number, options: number, done: (socket: us_listen_socket | false) => void) => void;

export class PublicServer {
  readonly #options: ServerOptions;
  #listening: us_listen_socket | undefined;

  constructor(options: ServerOptions) {
    requireNativeEngine();
    this.#options = options;
  }

  /** Returns the port taken. Rejects when it is in use. */
  async listen(host: string, port: number): Promise<number> {
    const app = engine.App();
    app.ws('/ws', webSocketBehavior(this.#options.webSocket));
    app.any('/*', httpRoute(this.#options.http));
    const socket = await new Promise<us_listen_socket | false>((resolve) => {
      (app.listen as unknown as Listen).call(app, host, port, EXCLUSIVE_PORT, resolve);
    });
    if (socket === false)
      throw new Error(`cannot listen on ${host}:${port}: the port is taken, or the address is not ours`);
    this.#listening = socket;
    return engine.us_socket_local_port(socket);
  }

  /** Takes no new connections; those that are open stay. */
  close(): void {
    if (this.#listening !== undefined) engine.us_listen_socket_close(this.#listening);
    this.#listening = undefined;
  }
}
