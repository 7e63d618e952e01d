// The server over a fake engine: streams, deadlines, bounds, and cleanup when either side disconnects.
import { linkSync, statSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { until } from '@rungrid/testkit/until';
import { afterEach, describe, expect, it } from 'vitest';
import { answerOf, type Bench, FakeEngine, type Handler, RawClient, startBench } from '../testkit/fake-engine.js';

const ID = 'c'.repeat(64);
const FLEET = { 'sandbox.fleet': 'rungrid' };
const PING = 'GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n';
const ATTACH = `POST /containers/${ID}/attach?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n`;
const FILTERS = '{"type":["container"],"event":["oom","die","destroy"],"label":["sandbox.owner=w"]}';
const EVENTS = `GET /events?filters=${encodeURIComponent(FILTERS)} HTTP/1.1\r\nHost: docker\r\n\r\n`;
const SWITCHING = 'HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n';

const benches: Bench[] = [];
const clients: RawClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.socket.destroy();
  await Promise.all(benches.splice(0).map((bench) => bench.close()));
});

async function open(handler: Handler, env: Record<string, string> = {}): Promise<Bench> {
  const bench = await startBench((head, socket) => {
    if (head.startsWith(`GET /containers/${ID}/json`)) return answerOf(200, { Id: ID, Config: { Labels: FLEET } });
    return handler(head, socket);
  }, env);
  benches.push(bench);
  return bench;
}

function client(bench: Bench, bytes: string): RawClient {
  const made = new RawClient(bench.socket);
  clients.push(made);
  made.socket.write(bytes);
  return made;
}

/** A client that is attached, and the engine's end of it. */
async function attached(behind = ''): Promise<{ bench: Bench; worker: RawClient; engine: Socket; got: () => string }> {
  let engine: Socket | undefined;
  let got = '';
  const bench = await open((_head, socket) => {
    engine = socket;
    socket.on('data', (chunk: Buffer) => {
      got += chunk.toString('latin1');
    });
    socket.write(SWITCHING + behind);
    return null;
  });
  const worker = client(bench, ATTACH);
  await until(() => worker.received.includes('\r\n\r\n'));
  worker.received = worker.received.slice(worker.received.indexOf('\r\n\r\n') + 4);
  if (engine === undefined) throw new Error('the engine was not asked');
  return { bench, worker, engine, got: () => got };
}

describe('an attached stream', () => {
  it('carries bytes both ways unchanged, those after the head first', async () => {
    const { worker, engine, got } = await attached('early ');
    const bytes = String.fromCharCode(...Array.from({ length: 256 }, (_, byte) => byte));
    worker.socket.write(bytes, 'latin1');
    engine.write(bytes, 'latin1');
    await until(() => got() === bytes && worker.received === `early ${bytes}`);
  });

  it('ends the worker’s direction by itself', async () => {
    const { worker, engine, got } = await attached();
    worker.socket.end('last input');
    await until(() => got() === 'last input' && engine.readableEnded);
    engine.write('answer');
    await until(() => worker.received === 'answer');
    engine.end();
    await until(() => worker.socket.closed && engine.closed);
  });

  it('ends the engine’s direction by itself', async () => {
    const { worker, engine, got } = await attached();
    engine.end('last output');
    await until(() => worker.ended && worker.received === 'last output');
    worker.socket.write('still open');
    await until(() => got() === 'still open');
    worker.socket.end();
    await until(() => worker.socket.closed && engine.closed);
  });

  it('disconnects from the engine when the worker disconnects', async () => {
    const { worker, engine } = await attached();
    worker.socket.destroy();
    await until(() => engine.readableEnded);
    // Both directions: what the engine still writes has no reader.
    await until(() => {
      if (!engine.destroyed) engine.write('x');
      return engine.closed;
    });
  });

  it('disconnects from the worker when the engine disconnects', async () => {
    const { worker, engine } = await attached();
    engine.destroy();
    await until(() => worker.ended);
  });

  it('blocks a writer while the other side does not read, and loses nothing', async () => {
    const { worker, engine } = await attached();
    worker.socket.pause();
    const piece = Buffer.alloc(65_536, 'x');
    // More than every buffer on the way holds: the rest waits at the engine.
    for (let sent = 0; sent < 64; sent += 1) engine.write(piece);
    let last = 0;
    let same = 0;
    await until(() => {
      same = engine.writableLength === last ? same + 1 : 0;
      last = engine.writableLength;
      return same > 20;
    });
    expect(last).toBeGreaterThan(48 * piece.length);
    expect(worker.received).toBe('');
    worker.socket.resume();
    await until(() => worker.received.length === 64 * piece.length);
    expect(engine.writableLength).toBe(0);
  });

  it('is refused when the engine refuses it', async () => {
    const bench = await open(() => answerOf(409, { message: 'it is stopped' }));
    const worker = client(bench, ATTACH);
    await until(() => worker.ended);
    expect(worker.statuses).toEqual([409]);
    expect(worker.received).toContain('it is stopped');
  });

  it('ends with the proxy', async () => {
    const { bench, worker, engine } = await attached();
    await bench.closeProxy();
    await until(() => worker.ended && engine.readableEnded);
  });
});

describe('events', () => {
  const event = (fleet: string, id: string) =>
    `${JSON.stringify({ Action: 'die', Actor: { ID: id, Attributes: { 'sandbox.fleet': fleet } } })}\n`;

  it('are those of the fleet, however they are split; the stream ends with its reader', async () => {
    let engine: Socket | undefined;
    const bench = await open((_head, socket) => {
      engine = socket;
      socket.write('HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n');
      return undefined;
    });
    const worker = client(bench, EVENTS);
    // The head comes before any event.
    await until(() => worker.statuses.length === 1);
    for (const piece of `${event('rungrid', 'one')}${event('other', 'two')}${event('rungrid-selftest', 'three')}`)
      engine?.write(piece);
    await until(() => worker.received.includes('three'));
    expect(worker.received).toContain('one');
    expect(worker.received).not.toContain('two');
    worker.socket.destroy();
    await until(() => engine?.closed === true);
  });

  it('end at a line that is endless or not JSON', async () => {
    for (const bytes of ['x'.repeat(70_000), 'not JSON\n']) {
      const bench = await open((_head, socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n${bytes}`);
        return undefined;
      });
      const worker = client(bench, EVENTS);
      await until(() => worker.ended);
      expect(worker.received).not.toContain(bytes.slice(0, 8));
    }
  });
});

describe('an engine that', () => {
  const FAULTS: readonly [string, number, Handler, Record<string, string>?][] = [
    ['does not answer', 504, () => undefined, { ENGINE_PROXY_ENGINE_MS: '100' }],
    ['answers by halves', 504, () => answerOf(200, 'OK').slice(0, -1), { ENGINE_PROXY_ENGINE_MS: '100' }],
    ['hangs up', 502, (_head, socket) => void socket.destroy()],
    ['answers something else', 502, () => 'no HTTP\r\n\r\n'],
    ['answers too much', 502, () => answerOf(200, 'x'.repeat(70_000)), { ENGINE_PROXY_ANSWER_BYTES: '65536' }],
  ];

  it.each(FAULTS)('%s: %i', async (_what, status, handler, env) => {
    const bench = await open(handler, env);
    const worker = client(bench, PING);
    await until(() => worker.statuses.length > 0);
    expect(worker.statuses).toEqual([status]);
  });

  it('does not answer an attach: 504', async () => {
    let engine: Socket | undefined;
    const keep: Handler = (_head, socket) => {
      engine = socket;
      return undefined;
    };
    const bench = await open(keep, { ENGINE_PROXY_ENGINE_MS: '100' });
    const worker = client(bench, ATTACH);
    await until(() => worker.ended);
    expect(worker.statuses).toEqual([504]);
    await until(() => engine?.closed === true);
  });

  it('is unreachable: 502, until it is reachable again', async () => {
    const bench = await open(() => answerOf(200, 'OK'));
    await bench.engine.close();
    const away = client(bench, PING);
    await until(() => away.statuses.length > 0);
    expect(away.statuses).toEqual([502]);
    const back = await FakeEngine.start(bench.engine.path, () => answerOf(200, 'OK'));
    try {
      const again = client(bench, PING);
      await until(() => again.statuses.length > 0);
      expect(again.statuses).toEqual([200]);
    } finally {
      await back.close();
    }
  });

  it('works for a worker that disconnected is released', async () => {
    let engine: Socket | undefined;
    const bench = await open((_head, socket) => {
      engine = socket;
      return undefined;
    });
    const worker = client(bench, PING);
    await until(() => engine !== undefined);
    worker.socket.destroy();
    await until(() => engine?.closed === true);
  });
});

describe('bounds', () => {
  it('a request that does not end is refused', async () => {
    const bench = await open(() => answerOf(200, 'OK'), { ENGINE_PROXY_REQUEST_MS: '100' });
    for (const bytes of [
      PING.slice(0, -2),
      `POST /containers/${ID}/start HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n{`,
    ]) {
      const worker = client(bench, bytes);
      await until(() => worker.ended);
      expect(worker.received).not.toContain('200');
    }
    expect(bench.engine.seen).toBe('');
  });

  it('a connection past the limit is closed and counted', async () => {
    const bench = await open(() => answerOf(200, 'OK'), { ENGINE_PROXY_CONNECTIONS: '1' });
    const first = client(bench, PING);
    await until(() => first.statuses.length === 1);
    const second = client(bench, PING);
    await until(() => second.ended);
    expect(second.received).toBe('');
    const text = await (await fetch(`${bench.metrics}/metrics`)).text();
    expect(text).toMatch(/rungrid_engine_proxy_dropped_connections_total\{[^}]*\} 1/);
  });

  it('endless refusals do not make an endless log', async () => {
    const bench = await open(() => undefined);
    for (let request = 0; request < 120; request += 1) {
      const other = client(bench, 'GET /version HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n');
      await until(() => other.statuses.length > 0);
    }
    const lines = bench
      .log()
      .split('\n')
      .filter((line) => line.includes('refused'));
    expect(lines.length).toBeGreaterThanOrEqual(50);
    expect(lines.length).toBeLessThan(120);
  });
});

describe('the socket’s file', () => {
  it('has its mode, and is removed with the proxy', async () => {
    const owner = `${process.getuid?.()}:${process.getgid?.()}`;
    const bench = await open(() => answerOf(200, 'OK'), {
      ENGINE_PROXY_SOCKET_MODE: '0620',
      ENGINE_PROXY_SOCKET_OWNER: owner,
    });
    const { uid, gid } = statSync(bench.socket);
    expect(`${uid}:${gid}`).toBe(owner);
    expect(statSync(bench.socket).mode & 0o777).toBe(0o620);
    await bench.closeProxy();
    expect(() => statSync(bench.socket)).toThrow(/ENOENT/);
  });

  it('is replaced when no process listens on it', async () => {
    const bench = await open(() => answerOf(200, 'OK'));
    // A killed process leaves its file behind.
    const stale = `${bench.socket}.stale`;
    linkSync(bench.socket, stale);
    await bench.closeProxy();
    benches.push(await startBench(() => answerOf(200, 'OK'), { ENGINE_PROXY_SOCKET: stale }));
    const worker = new RawClient(stale);
    clients.push(worker);
    worker.socket.write(PING);
    await until(() => worker.statuses.length === 1);
    expect(worker.statuses).toEqual([200]);
  });

  it('is kept when another process listens on it, or when it is no socket', async () => {
    const bench = await open(() => answerOf(200, 'OK'));
    await expect(startBench(() => undefined, { ENGINE_PROXY_SOCKET: bench.socket })).rejects.toThrow(/another process/);
    const plain = `${bench.socket}.txt`;
    writeFileSync(plain, 'kept');
    await expect(startBench(() => undefined, { ENGINE_PROXY_SOCKET: plain })).rejects.toThrow(/is not a socket/);
    expect(statSync(plain).size).toBe(4);
    const worker = client(bench, PING);
    await until(() => worker.statuses.length === 1);
  });
});
