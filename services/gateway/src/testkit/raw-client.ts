// A WebSocket client (RFC 6455) for tests that can send malformed frames and stop reading.
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { ServerFrame } from '@rungrid/proto/frames';
import { until } from '@rungrid/testkit/until';

const TEXT = 1;
export const PING = 9;

export interface Frame {
  readonly event: string;
  readonly data: Record<string, unknown>;
}

export function encodeFrame(payload: string | Uint8Array, opcode = TEXT): Buffer {
  const bytes = Buffer.from(payload as string);
  const head = Buffer.alloc(bytes.length < 126 ? 2 : bytes.length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = 0x80 | (bytes.length < 126 ? bytes.length : bytes.length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(bytes.length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(bytes.length), 2);
  const mask = randomBytes(4);
  const body = Buffer.from(bytes);
  for (let i = 0; i < body.length; i++) body[i] = (body[i] ?? 0) ^ (mask[i & 3] ?? 0);
  return Buffer.concat([head, mask, body]);
}

export class RawClient {
  readonly frames: Frame[] = [];
  readonly texts: string[] = [];
  head = '';
  closeCode: number | undefined;
  closedByPeer = false;
  pongs = 0;
  #buffer = Buffer.alloc(0);
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#data(chunk));
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closedByPeer = true;
    });
  }

  /** Opens one and waits for the answer to the upgrade. */
  static async open(url: string, headers: Record<string, string> = {}): Promise<RawClient> {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const client = new RawClient(socket);
    const lines = {
      Host: `${hostname}:${port}`,
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      ...headers,
    };
    const text = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`GET /ws HTTP/1.1\r\n${text.join('')}\r\n`);
    await until(() => client.head !== '' || client.closedByPeer, { what: 'the upgrade' });
    return client;
  }

  raw(bytes: Uint8Array): void {
    if (!this.closedByPeer) this.#socket.write(bytes);
  }

  text(text: string): void {
    this.raw(encodeFrame(text));
  }

  event(event: string, data: unknown): void {
    this.text(JSON.stringify({ event, data }));
  }

  /** Stops reading: what comes stays in the kernel. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Disconnects without a close frame. */
  vanish(): void {
    this.#socket.resetAndDestroy();
  }

  /** The first frame of this event (and run) from index `from` on. */
  async next(
    event: ServerFrame['event'],
    options: { run?: string; from?: number; timeoutMs?: number } = {},
  ): Promise<Frame> {
    const fits = (frame: Frame) =>
      frame.event === event && (options.run === undefined || frame.data['run'] === options.run);
    return until(() => this.frames.slice(options.from ?? 0).find(fits), {
      what: `a frame ${event}`,
      ...(options.timeoutMs === undefined ? {} : { timeoutMs: options.timeoutMs }),
    });
  }

  async closed(): Promise<number | undefined> {
    await until(() => this.closeCode !== undefined || this.closedByPeer, { what: 'the close' });
    return this.closeCode;
  }

  output(stream: 'stdout' | 'stderr' = 'stdout'): string {
    return this.frames.flatMap((frame) => (frame.event === stream ? [String(frame.data['text'])] : [])).join('');
  }

  #data(chunk: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, chunk]);
    if (this.head === '') {
      const end = this.#buffer.indexOf('\r\n\r\n');
      if (end < 0) return;
      this.head = this.#buffer.subarray(0, end).toString();
      this.#buffer = this.#buffer.subarray(end + 4);
    }
    for (let frame = this.#take(); frame !== undefined; frame = this.#take()) this.#frame(frame.opcode, frame.payload);
  }

  #take(): { opcode: number; payload: Buffer } | undefined {
    const buffer = this.#buffer;
    if (buffer.length < 2) return undefined;
    const short = (buffer[1] ?? 0) & 127;
    const at = short === 126 ? 4 : short === 127 ? 10 : 2;
    if (buffer.length < at) return undefined;
    const length = short === 126 ? buffer.readUInt16BE(2) : short === 127 ? Number(buffer.readBigUInt64BE(2)) : short;
    if (buffer.length < at + length) return undefined;
    this.#buffer = buffer.subarray(at + length);
    return { opcode: (buffer[0] ?? 0) & 15, payload: buffer.subarray(at, at + length) };
  }

  #frame(opcode: number, payload: Buffer): void {
    if (opcode === 8) this.closeCode = payload.length >= 2 ? payload.readUInt16BE(0) : 1005;
    else if (opcode === 10) this.pongs += 1;
    else if (opcode === TEXT) {
      const text = payload.toString();
      this.texts.push(text);
      this.frames.push(JSON.parse(text) as Frame);
    }
  }
}
