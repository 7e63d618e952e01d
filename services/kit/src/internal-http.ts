// The internal HTTP port: /metrics, /healthz and /readyz for operators and their machines, never for visitors.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from './metrics.js';

export interface InternalHttpOptions {
  /** Default 127.0.0.1: the port is internal. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly registry: Registry;
  /** What keeps the service from taking work, one reason each; none: ready. */
  readonly notReady: () => string[];
}

export interface InternalHttp {
  readonly url: string;
  close(): Promise<void>;
}

/** Starts it. Rejects when the port is taken. */
export async function startInternalHttp(options: InternalHttpOptions): Promise<InternalHttp> {
  const server = createServer((request, response) => {
    void answer(options, request.url ?? '/', response);
  });
  server.requestTimeout = 10_000;
  server.maxConnections = 64;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  const host = options.host === '0.0.0.0' ? '127.0.0.1' : options.host;
  return {
    url: `http://${host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(options: InternalHttpOptions, url: string, response: ServerResponse): Promise<void> {
  const path = url.split('?')[0];
  if (path === '/metrics') {
    const text = await options.registry.metrics();
    response.writeHead(200, { 'content-type': options.registry.contentType }).end(text);
  } else if (path === '/healthz') {
    response.writeHead(200, { 'content-type': 'text/plain' }).end('ok\n');
  } else if (path === '/readyz') {
    const reasons = options.notReady();
    response.writeHead(reasons.length === 0 ? 200 : 503, { 'content-type': 'text/plain' });
    response.end(reasons.length === 0 ? 'ready\n' : `${reasons.join('\n')}\n`);
  } else {
    response.writeHead(404).end();
  }
}
