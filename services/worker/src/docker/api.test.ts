// The engine's wire, against a server of a few lines: exactly what is sent, and what happens without an answer.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DockerBody } from '@rungrid/sandbox/docker-body';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DockerApi, parseEvent } from './api.js';
import { resolveDockerOptions } from './options.js';

const CALLS: readonly [string, (api: DockerApi) => Promise<unknown>][] = [
  ['info', (api) => api.info()],
  ['inspect image', (api) => api.imageId('a:b')],
  ['create', (api) => api.create('name', {} as DockerBody)],
  ['attach', (api) => api.attach('abc')],
  ['start', (api) => api.start('abc')],
  ['rename', (api) => api.rename('abc', 'name')],
  ['remove', (api) => api.remove('abc')],
  ['inspect', (api) => api.exitState('abc')],
  ['stats', (api) => api.stats('abc')],
  ['list', (api) => api.list()],
  ['events', (api) => api.events('w')],
];

describe('DockerApi', () => {
  let directory = '';
  let server: Server | undefined;
  const peers: Socket[] = [];
  let received = '';

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'docker-'));
    received = '';
  });
  afterEach(() => {
    for (const peer of peers.splice(0)) peer.destroy();
    server?.close();
    rmSync(directory, { recursive: true });
  });

  it("attaches with a request that has no body, so that the first byte of stdin is the caller's", async () => {
    const api = await serve((peer) =>
      peer.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhead'),
    );
    const socket = await api.attach('abc');
    const output: string[] = [];
    socket.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    socket.write('X');
    await vi.waitFor(() => expect(received.endsWith('X')).toBe(true));
    const [head, body] = received.split('\r\n\r\n');
    expect(head).toContain('POST /containers/abc/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1');
    expect(head?.toLowerCase()).toContain('content-length: 0');
    expect(head?.toLowerCase()).not.toContain('chunked');
    expect(body).toBe('X');
    await vi.waitFor(() => expect(output.join('')).toBe('head'));
    socket.destroy();
    api.close();
  });

  it('rejects when the engine does not answer', async () => {
    const api = await serve(() => undefined, 200);
    await expect(api.ping()).rejects.toMatchObject({ name: 'EngineError', retryable: true });
    api.close();
  });

  it.each(CALLS)('aborts %s past its deadline', async (_, call) => {
    const api = await serve(() => undefined, 200);
    await expect(call(api)).rejects.toMatchObject({ name: 'EngineError', retryable: true });
    // An open request would hold a connection that later ones need.
    await vi.waitFor(() => expect(peers.map((peer) => peer.closed)).toEqual(peers.map(() => true)));
    api.close();
  });

  it('answers a ping while other calls wait', async () => {
    const api = await serve((peer) => {
      if (received.startsWith('GET /_ping')) peer.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK');
      received = '';
    }, 2_000);
    const hanging = Array.from({ length: 40 }, () => api.start('abc').catch((error: unknown) => error));
    await api.ping();
    for (const error of await Promise.all(hanging)) expect(error).toMatchObject({ retryable: true });
    api.close();
  });

  it('reports an unreachable engine as retryable', async () => {
    const api = new DockerApi(resolveDockerOptions({ workerId: 'w', host: `unix://${directory}/none` }));
    await expect(api.start('abc')).rejects.toMatchObject({ name: 'EngineError', retryable: true });
    api.close();
  });

  it('takes a missing container for removed', async () => {
    const body = '{"message":"No such container: abc"}';
    const api = await serve((peer) =>
      peer.write(`HTTP/1.1 404 Not Found\r\nContent-Length: ${body.length}\r\n\r\n${body}`),
    );
    await api.remove('abc');
    api.close();
  });

  it.each([
    ['takes what the engine has removed itself for removed', 'null', undefined],
    ['does not where the engine says that it could not', '{"Message":"device or resource busy"}', /resource busy/],
  ])('%s', async (_, fault, message) => {
    const busy = '{"message":"removal of container abc is already in progress"}';
    const over = `{"StatusCode":137,"Error":${fault}}`;
    const api = await serve((peer) => {
      const [status, body] = received.startsWith('DELETE') ? ['409 Conflict', busy] : ['200 OK', over];
      received = '';
      peer.write(`HTTP/1.1 ${status}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
    const removed = api.remove('abc');
    if (message === undefined) await removed;
    else await expect(removed).rejects.toMatchObject({ message: expect.stringMatching(message), retryable: true });
    api.close();
  });

  /** Calls end after `callTimeoutMs`; the default is more than any answer takes on a busy machine. */
  async function serve(answer: (peer: Socket) => void, callTimeoutMs = 20_000): Promise<DockerApi> {
    const path = join(directory, 'engine.sock');
    server = createServer((peer) => {
      peers.push(peer);
      peer.on('data', (chunk) => {
        const before = received.includes('\r\n\r\n');
        received += chunk.toString();
        if (!before && received.includes('\r\n\r\n')) answer(peer);
      });
    });
    await new Promise<void>((resolve) => server?.listen(path, resolve));
    return new DockerApi(resolveDockerOptions({ workerId: 'w', host: `unix://${path}`, callTimeoutMs }));
  }
});

describe('parseEvent', () => {
  it('reads action, container and exit status', () => {
    const line = '{"Action":"die","Actor":{"ID":"abc","Attributes":{"exitCode":"137"}}}';
    expect(parseEvent(line)).toEqual({ action: 'die', containerId: 'abc', exitCode: 137 });
  });

  it('skips events that are not about a container', () => {
    expect(parseEvent('{"Action":"pull"}')).toBeUndefined();
  });
});
