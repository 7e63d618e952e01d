// A raw RFC 6455 client on a TCP socket: sends malformed frames, stops reading, disconnects abruptly. Loopback only.
import { Buffer } from 'node:buffer';
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import type { ServerFrame } from '@rungrid/proto/frames';
import { until } from '@rungrid/testkit/until';

export const OP = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export interface FrameOptions {
  readonly op?: number;
  readonly fin?: boolean;
  /** The three reserved bits, 0 to 7. */
  readonly rsv?: number;
  /** Length that the header claims, in place of the true one. */
  readonly declare?: number;
  readonly mask?: boolean;
}

/** One client frame (RFC 6455 section 5.2), honest or not. */
export function encodeFrame(payload: string | Buffer, options: FrameOptions = {}): Buffer {
  const { op = OP.text, fin = true, rsv = 0, mask = true } = options;
  const body = Buffer.from(payload);
  const length = options.declare ?? body.length;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | op;
  head[1] = (mask ? 0x80 : 0) | (length < 126 ? length : length < 65_536 ? 126 : 127);
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  if (!mask) return Buffer.concat([head, body]);
  const key = randomBytes(4);
  const masked = Buffer.from(body.map((byte, index) => byte ^ (key[index & 3] ?? 0)));
  return Buffer.concat([head, key, masked]);
}

const open = new Set<RawSocket>();

/** Ends every raw socket that a test left open. */
export function destroyRawSockets(): void {
  for (const raw of open) raw.destroy();
}

export class RawSocket {
  readonly texts: string[] = [];
  readonly socket: Socket;
  pongs = 0;
  bytes = 0;
  /** HTTP status of the upgrade; 0 before it. */
  status = 0;
  head = '';
  /** Close code that the server sent. */
  closeCode: number | undefined;
  ended = false;
  #buffer = Buffer.alloc(0);

  /** Connects and sends the upgrade. */
  constructor(url: string, headers: Readonly<Record<string, string>> = {}) {
    const { hostname, port, host } = new URL(url);
    if (!/^(127\.\d+\.\d+\.\d+|localhost)$/.test(hostname)) throw new Error('loopback only');
    this.socket = connect(Number(port), hostname);
    open.add(this);
    const all: Record<string, string> = {
      Host: host,
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Version': '13',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.socket.on('connect', () => this.socket.write(`GET /ws HTTP/1.1\r\n${lines.join('')}\r\n`));
    this.socket.on('data', (data: Buffer) => this.#onData(data));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => {
      this.ended = true;
      open.delete(this);
    });
  }

  static async open(url: string, headers: Readonly<Record<string, string>> = {}): Promise<RawSocket> {
    const raw = new RawSocket(url, headers);
    await until(() => raw.status > 0 || raw.ended, { what: 'the upgrade to be answered' });
    return raw;
  }

  /** Frames, parsed. */
  get events(): ServerFrame[] {
    return this.texts.map((text) => JSON.parse(text) as ServerFrame);
  }

  send(payload: string | Buffer, options: FrameOptions = {}): boolean {
    return this.write(encodeFrame(payload, options));
  }

  /** false: the kernel does not take more for now. */
  write(bytes: Buffer): boolean {
    return this.ended || this.socket.write(bytes);
  }

  /** Waits until the kernel takes more, the socket ended, or `timeoutMs` went by. */
  async drained(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    await until(() => this.ended || !this.socket.writableNeedDrain || performance.now() > deadline, {
      what: 'drain',
      timeoutMs: timeoutMs + 1_000,
    });
  }

  get over(): boolean {
    return this.ended || this.closeCode !== undefined;
  }

  /** RST instead of FIN. */
  vanish(): void {
    this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  #onData(data: Buffer): void {
    this.bytes += data.length;
    this.#buffer = Buffer.concat([this.#buffer, data]);
    if (this.status === 0) {
      const end = this.#buffer.indexOf('\r\n\r\n');
      if (end === -1) return;
      this.head = this.#buffer.subarray(0, end).toString();
      this.status = Number(this.head.split(' ')[1]);
      this.#buffer = this.#buffer.subarray(end + 4);
    }
    while (this.#takeFrame());
  }

  #takeFrame(): boolean {
    const buffer = this.#buffer;
    if (this.status !== 101 || buffer.length < 2) return false;
    let length = (buffer[1] ?? 0) & 127;
    let start = 2;
    if (length === 126) {
      if (buffer.length < 4) return false;
      length = buffer.readUInt16BE(2);
      start = 4;
    } else if (length === 127) {
      if (buffer.length < 10) return false;
      length = Number(buffer.readBigUInt64BE(2));
      start = 10;
    }
    if (buffer.length < start + length) return false;
    const payload = buffer.subarray(start, start + length);
    this.#buffer = buffer.subarray(start + length);
    const op = (buffer[0] ?? 0) & 15;
    if (op === OP.close) this.closeCode = length >= 2 ? payload.readUInt16BE(0) : 1005;
    else if (op === OP.pong) this.pongs++;
    else if (op === OP.text) this.texts.push(payload.toString());
    return true;
  }
}
