// The client of the engine: calls over its unix socket, each with a deadline and a bound, each failure a named Refusal.
import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import type { EngineAnswer, EnginePort, EngineRequest } from '../policy/ports.js';
import { Refusal } from '../policy/refusal.js';

interface EngineOptions {
  /** Path of the engine's unix socket. */
  readonly socketPath: string;
  /** From the call to its whole answer, or to the head of a stream, ms. */
  readonly timeoutMs: number;
  /** Largest answer. */
  readonly answerBytes: number;
  /** Connections for calls; attached streams and event streams have their own. */
  readonly maxSockets: number;
}

/** Result of an attach or an event stream: the engine's stream, or the answer in its place. */
export type Opened<T> = { readonly stream: T } | { readonly answer: EngineAnswer };

interface Hijacked {
  readonly socket: Socket;
  /** Bytes that the engine sent right after the head. */
  readonly head: Buffer;
}

export class EngineClient implements EnginePort {
  readonly #options: EngineOptions;
  readonly #agent: Agent;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.maxSockets, maxFreeSockets: options.maxSockets });
  }

  call(request: EngineRequest, signal?: AbortSignal): Promise<EngineAnswer> {
    return this.#within(signal, (settle) => {
      const call = this.#send(request, {});
      call.once('response', (response) => void this.#readWhole(response).then(settle.resolve, settle.reject));
      return call;
    });
  }

  /** An answer that does not end, such as events. The caller destroys it. */
  openStream(request: EngineRequest, signal: AbortSignal): Promise<Opened<IncomingMessage>> {
    return this.#within(signal, (settle) => {
      const call = this.#send(request, { own: true });
      call.once('response', (response) => {
        if (response.statusCode === 200) settle.resolve({ stream: response });
        else this.#readWhole(response).then((answer) => settle.resolve({ answer }), settle.reject);
      });
      return call;
    });
  }

  /** The raw stream behind an attach. The caller destroys it. */
  hijack(request: EngineRequest, signal: AbortSignal): Promise<Opened<Hijacked>> {
    return this.#within(signal, (settle) => {
      const headers = { Connection: 'Upgrade', Upgrade: 'tcp', 'Content-Type': 'text/plain' };
      const call = this.#send(request, { own: true, headers });
      call.once('upgrade', (_response, socket, head) => settle.resolve({ stream: { socket, head } }));
      call.once(
        'response',
        (response) => void this.#readWhole(response).then((answer) => settle.resolve({ answer }), settle.reject),
      );
      return call;
    });
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(request: EngineRequest, options: { own?: boolean; headers?: Record<string, string> }): ClientRequest {
    const { method, target: path, body } = request;
    const length = method === 'POST' ? { 'Content-Length': body === undefined ? 0 : Buffer.byteLength(body) } : {};
    const type = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const call = httpRequest({
      method,
      path,
      headers: { Host: 'docker', ...type, ...options.headers, ...length },
      ...(options.own === true
        ? // Half-open: the end of a program's output is not the end of its input, nor vice versa.
          { createConnection: () => connect({ path: this.#options.socketPath, allowHalfOpen: true }) }
        : { agent: this.#agent, socketPath: this.#options.socketPath }),
    });
    call.end(body);
    return call;
  }

  /** Runs a call under the deadline and the caller's signal; past either it is destroyed. */
  async #within<T>(
    signal: AbortSignal | undefined,
    start: (settle: { resolve: (value: T) => void; reject: (error: unknown) => void }) => ClientRequest,
  ): Promise<T> {
    let call: ClientRequest | undefined;
    let timer: NodeJS.Timeout | undefined;
    const abandoned = () => call?.destroy(new Refusal('engine_unreachable', 'the caller disconnected'));
    try {
      return await new Promise<T>((resolve, reject) => {
        const { timeoutMs } = this.#options;
        call = start({ resolve, reject });
        call.on('error', (error) => reject(asRefusal(error)));
        timer = setTimeout(
          () => call?.destroy(new Refusal('engine_timeout', `the engine gave no answer within ${timeoutMs} ms`)),
          timeoutMs,
        );
        signal?.addEventListener('abort', abandoned, { once: true });
        if (signal?.aborted === true) abandoned();
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abandoned);
    }
  }

  async #readWhole(response: IncomingMessage): Promise<EngineAnswer> {
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > this.#options.answerBytes)
          throw new Refusal('bad_answer', `the engine's answer is larger than ${this.#options.answerBytes} bytes`);
        chunks.push(chunk);
      }
    } catch (error) {
      throw asRefusal(error);
    }
    return {
      status: response.statusCode ?? 502,
      body: Buffer.concat(chunks),
      contentType: response.headers['content-type'] ?? 'application/json',
    };
  }
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'failed';
  return new Refusal('engine_unreachable', `the engine cannot be reached (${code})`, { cause: error });
}
