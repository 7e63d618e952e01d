// The event stream's connection, against a server of a few lines: which events it reports, and when it counts as lost.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DockerApi, type EngineEvent } from './api.js';
import { EngineEvents } from './events.js';
import { resolveDockerOptions } from './options.js';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n';

describe('EngineEvents', () => {
  let directory = '';
  let server: Server;
  const peers: Socket[] = [];
  const received: EngineEvent[] = [];
  const onLost = vi.fn();
  let api: DockerApi;
  let events: EngineEvents;

  beforeEach(async () => {
    directory = mkdtempSync(join(tmpdir(), 'docker-'));
    const path = join(directory, 'engine.sock');
    server = createServer((peer) => {
      peer.on('error', () => undefined);
      // Counted once it has answered: what is written to it before would come ahead of the head.
      peer.once('data', () => {
        peer.write(HEAD);
        peers.push(peer);
      });
    });
    await new Promise<void>((resolve) => server.listen(path, resolve));
    onLost.mockClear();
    received.length = 0;
    api = new DockerApi(resolveDockerOptions({ workerId: 'w', host: `unix://${path}`, callTimeoutMs: 1_000 }));
    events = new EngineEvents(api, { owner: 'w', onEvent: (event) => received.push(event), onLost });
    await events.open();
  });
  afterEach(() => {
    events.close();
    api.close();
    for (const peer of peers.splice(0)) peer.destroy();
    server.close();
    rmSync(directory, { recursive: true });
  });

  it('reports a lost connection, and the events of the next one', async () => {
    peers[0]?.destroy();
    await vi.waitFor(() => expect(onLost).toHaveBeenCalledTimes(1));
    await vi.waitFor(() => expect(peers).toHaveLength(2));
    peers[1]?.write('{"Action":"die","Actor":{"ID":"abc"}}\n');
    await vi.waitFor(() => expect(received).toMatchObject([{ action: 'die', containerId: 'abc' }]));
    expect(onLost).toHaveBeenCalledTimes(1);
  });

  it('reports no loss of a connection that it closes itself', async () => {
    events.close();
    await vi.waitFor(() => expect(peers[0]?.closed).toBe(true));
    expect(onLost).not.toHaveBeenCalled();
  });
});
