// The lower bound of this machine's Docker: a program written straight to an attached warm sandbox, its first byte read straight back.
import { request } from 'node:http';
import type { Socket } from 'node:net';
import Docker from 'dockerode';
import { AgentFrameDecoder, encodeFrame, encodeStart, FromAgent, ToAgent } from '@rungrid/sandbox/agent-frames';
import { untilMs } from './scenario.js';

/** Warm containers kept. A click that finds none waits for the refill; that wait is not measured. */
const POOL_SIZE = 12;
/** Pause before a refill, as in the worker, so that the program that was just started comes first, ms. */
const REFILL_DELAY_MS = 200;
const STDCOPY_HEADER_BYTES = 8;

interface Warm {
  readonly stream: Socket;
  onFrame: (type: FromAgent, payload: Buffer) => void;
  destroy(): Promise<unknown>;
}

export interface BareOptions {
  readonly container: Docker.ContainerCreateOptions;
  readonly file: { readonly name: string; readonly content: string };
  readonly rate: number;
  readonly n: number;
  readonly warmUp: number;
}

/** START -> first output byte, at a steady rate, each in a container of its own that is then replaced; ms. */
export async function bareFirstByte(options: BareOptions): Promise<number[]> {
  const pool = Array.from({ length: POOL_SIZE }, () => openWarm(options.container));
  await Promise.all(pool);
  const used: Promise<unknown>[] = [];
  const refill = async () => {
    await untilMs(performance.now() + REFILL_DELAY_MS);
    return openWarm(options.container);
  };
  const samples: number[] = [];
  try {
    const startMs = performance.now();
    for (let i = -options.warmUp; i < options.n; i++) {
      await untilMs(startMs + ((i + options.warmUp) * 1000) / options.rate);
      const warm = await (pool.shift() as Promise<Warm>);
      const timeMs = await firstByte(warm, encodeStart({ files: [options.file], args: [] }));
      if (i >= 0) samples.push(timeMs);
      pool.push(refill());
      used.push(warm.destroy());
    }
  } finally {
    const rest = pool.map(async (warm) => (await warm).destroy());
    await Promise.allSettled([...used, ...rest]);
  }
  return samples;
}

function firstByte(warm: Warm, start: Buffer): Promise<number> {
  return new Promise((resolve) => {
    const clickMs = performance.now();
    warm.onFrame = (type) => {
      if (type === FromAgent.STDOUT) resolve(performance.now() - clickMs);
    };
    warm.stream.write(start);
  });
}

/** line -> echo from a program that answers each line, sequentially, straight over the attached stream, ms. */
export async function bareEcho(options: {
  readonly container: Docker.ContainerCreateOptions;
  readonly file: { readonly name: string; readonly content: string };
  readonly n: number;
  readonly pauseMs: number;
}): Promise<number[]> {
  const warm = await openWarm(options.container);
  try {
    warm.stream.write(encodeStart({ files: [options.file], args: [] }));
    const samples: number[] = [];
    for (let i = -20; i < options.n; i++) {
      const timeMs = await echo(warm, `line ${i}\n`);
      if (i >= 0) samples.push(timeMs);
      await untilMs(performance.now() + options.pauseMs);
    }
    return samples;
  } finally {
    await warm.destroy();
  }
}

function echo(warm: Warm, line: string): Promise<number> {
  return new Promise((resolve) => {
    let seen = '';
    warm.onFrame = (type, payload) => {
      if (type === FromAgent.STDOUT) seen += payload.toString();
      if (seen.endsWith(line)) resolve(performance.now() - startMs);
    };
    const frame = encodeFrame(ToAgent.STDIN, Buffer.from(line));
    const startMs = performance.now();
    warm.stream.write(frame);
  });
}

async function openWarm(options: Docker.ContainerCreateOptions): Promise<Warm> {
  const container = await new Docker().createContainer(options);
  const destroy = () => container.remove({ force: true, v: true });
  try {
    const stream = await attach(container.id);
    const decoder = new AgentFrameDecoder();
    const warm: Warm = { stream, destroy, onFrame: () => undefined };
    const ready = new Promise<void>((resolve) => {
      warm.onFrame = () => resolve();
    });
    demux(stream, (payload) => decoder.push(payload, (type, body) => warm.onFrame(type, body)));
    await container.start();
    await ready;
    return warm;
  } catch (error) {
    await destroy();
    throw error;
  }
}

/** The hijacked stream, by plain HTTP: dockerode may write its options into it. */
function attach(id: string): Promise<Socket> {
  const host = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
  return new Promise((resolve, reject) => {
    const post = request({
      socketPath: host.replace(/^unix:\/\//, ''),
      method: 'POST',
      path: `/containers/${id}/attach?stream=1&stdin=1&stdout=1&stderr=1`,
      headers: { Connection: 'Upgrade', Upgrade: 'tcp' },
    });
    post.once('upgrade', (_, socket) => resolve(socket));
    post.once('response', (answer) => reject(new Error(`bare attach: HTTP ${answer.statusCode}`)));
    post.once('error', reject);
    post.end();
  });
}

/** Docker's frames: stream u8, three zeros, length u32, payload. */
function demux(stream: Socket, onPayload: (payload: Buffer) => void): void {
  let held: Buffer = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    held = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
    while (held.length >= STDCOPY_HEADER_BYTES) {
      const end = STDCOPY_HEADER_BYTES + held.readUInt32BE(4);
      if (held.length < end) break;
      onPayload(held.subarray(STDCOPY_HEADER_BYTES, end));
      held = held.subarray(end);
    }
  });
  stream.on('error', () => stream.destroy());
}
