// The worker's side of the agent protocol: encoding, decoding, refusals.
import { describe, expect, it } from 'vitest';
import {
  AgentFrameDecoder,
  AgentProtocolError,
  type AgentStart,
  encodeFrame,
  encodeStart,
  FromAgent,
  START_MAX_BYTES,
  ToAgent,
} from './agent-frames.js';
import { decodeExit, decodeStdinAck } from './agent-status.js';

function frame(type: number, payload: string | Uint8Array = ''): Buffer {
  const bytes = Buffer.from(payload);
  const header = Buffer.alloc(5);
  header[0] = type;
  header.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([header, bytes]);
}

function decode(bytes: Buffer, pieceSize: number): [FromAgent, string][] {
  const decoder = new AgentFrameDecoder();
  const seen: [FromAgent, string][] = [];
  for (let at = 0; at < bytes.length; at += pieceSize) {
    decoder.push(bytes.subarray(at, at + pieceSize), (type, payload) => {
      const last = seen.at(-1);
      if (last?.[0] === type && type === FromAgent.STDOUT) last[1] += payload.toString('latin1');
      else seen.push([type, payload.toString('latin1')]);
    });
  }
  return seen;
}

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof AgentProtocolError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}

describe('encodeStart', () => {
  it('writes fields in the order files, compile, run, arguments, environment', () => {
    const start = encodeStart({
      files: [{ name: 'a.c', content: 'é' }],
      compile: ['cc'],
      run: ['./a'],
      args: [''],
      env: { K: 'v=w' },
    });
    const field = (tag: string, text: string): string => frame(tag.charCodeAt(0), text).toString('latin1');
    const payload = field('F', 'a.c\0é') + field('C', 'cc') + field('R', './a') + field('A', '') + field('E', 'K=v=w');
    expect(start.toString('latin1')).toBe(frame(ToAgent.START, Buffer.from(payload, 'latin1')).toString('latin1'));
  });

  it.each<[string, Partial<AgentStart>]>([
    ['a path', { files: [{ name: '../x', content: '' }] }],
    ['a hidden file', { files: [{ name: '.x', content: '' }] }],
    ['an option as file name', { files: [{ name: '-x', content: '' }] }],
    ['a name of 65 bytes', { files: [{ name: 'x'.repeat(65), content: '' }] }],
    ['a program beyond 1 MiB', { files: [{ name: 'x', content: Buffer.alloc(START_MAX_BYTES) }] }],
    ['NUL in an argument', { args: ['a\0b'] }],
    ['too many arguments', { run: ['x'], args: Array.from({ length: 1024 }, () => '') }],
    ['arguments of more than 64 KiB', { args: ['x'.repeat(65_536)] }],
    ['an environment key with =', { env: { 'A=B': '' } }],
  ])('refuses %s', (_what, part) => {
    expect(codeOf(() => encodeStart({ files: [], ...part }))).toBe('bad_start');
  });

  it('accepts exactly 1 MiB', () => {
    const content = Buffer.alloc(START_MAX_BYTES - 5 - 2);
    expect(encodeStart({ files: [{ name: 'x', content }] }).length).toBe(5 + START_MAX_BYTES);
  });
});

describe('encodeFrame', () => {
  it('puts type and big-endian length before the payload', () => {
    expect([...encodeFrame(ToAgent.SIGNAL, Uint8Array.of(2))]).toEqual([5, 0, 0, 0, 1, 2]);
    expect([...encodeFrame(ToAgent.KILL)]).toEqual([6, 0, 0, 0, 0]);
  });
});

describe('AgentFrameDecoder', () => {
  const exit = Buffer.alloc(26);
  exit.writeUInt8(1, 0);
  exit.writeUInt8(9, 1);
  exit.writeBigUInt64BE(1_500_000n, 2);
  const stream = Buffer.concat([
    frame(FromAgent.READY, '3.13'),
    frame(FromAgent.STARTED),
    frame(FromAgent.STDOUT, 'hello '),
    frame(FromAgent.STDOUT, 'world'),
    frame(FromAgent.STDIN_ACK, Uint8Array.of(0, 0, 1, 0)),
    frame(FromAgent.EXIT, exit),
  ]);

  it.each([1, 2, 3, 5, 7, 64, 1 << 20])('sees the same frames in pieces of %i bytes', (size) => {
    expect(decode(stream, size)).toEqual([
      [FromAgent.READY, '3.13'],
      [FromAgent.STARTED, ''],
      [FromAgent.STDOUT, 'hello world'],
      [FromAgent.STDIN_ACK, '\0\0\x01\0'],
      [FromAgent.EXIT, exit.toString('latin1')],
    ]);
  });

  it('delivers output as it arrives, without a copy', () => {
    const chunk = frame(FromAgent.STDOUT, 'abcdef').subarray(0, 8);
    const decoder = new AgentFrameDecoder();
    const seen: Buffer[] = [];
    decoder.push(chunk, (_type, payload) => seen.push(payload));
    expect(seen.map(String)).toEqual(['abc']);
    expect(seen[0]?.buffer).toBe(chunk.buffer);
  });

  it('decodes a hundred thousand one-byte frames in one chunk', () => {
    const one = frame(FromAgent.STDOUT, 'x');
    let bytes = 0;
    new AgentFrameDecoder().push(Buffer.concat(Array.from({ length: 100_000 }, () => one)), (_type, payload) => {
      bytes += payload.length;
    });
    expect(bytes).toBe(100_000);
  });

  it.each([
    ['unknown_type', frame(ToAgent.START)],
    ['unknown_type', frame(255)],
    ['bad_length', frame(FromAgent.EXIT, 'short')],
    ['bad_length', frame(FromAgent.STDOUT)],
    ['bad_length', Buffer.from([FromAgent.STDOUT, 0, 1, 0, 1])],
    ['bad_length', Buffer.from([FromAgent.READY, 0xff, 0xff, 0xff, 0xff])],
    ['after_last', Buffer.concat([stream, frame(FromAgent.STDOUT, 'x')])],
  ])('refuses with %s', (code, bytes) => {
    expect(codeOf(() => decode(bytes, 4))).toBe(code);
    expect(codeOf(() => decode(bytes, 1 << 20))).toBe(code);
  });

  it('refuses everything after an error', () => {
    const decoder = new AgentFrameDecoder();
    const push = (bytes: Buffer): string => codeOf(() => decoder.push(bytes, () => undefined));
    expect(push(frame(7))).toBe('unknown_type');
    expect(push(frame(FromAgent.STARTED))).toBe('unknown_type');
  });
});

describe('payloads', () => {
  it('EXIT holds how the program ended and what it used', () => {
    const payload = Buffer.from('0109000000000016e360000000000000000a0000000000002000', 'hex');
    expect(decodeExit(payload)).toEqual({
      end: { kind: 'signaled', signo: 9 },
      userUs: 1_500_000,
      systemUs: 10,
      maxRssKb: 8192,
    });
  });

  it('STDIN_ACK counts bytes', () => {
    expect(decodeStdinAck(Buffer.from([0, 1, 0, 0]))).toBe(65_536);
  });
});
