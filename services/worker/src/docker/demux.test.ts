// The demultiplexer under every split that a hostile program or a kernel can make.
import { describe, expect, it } from 'vitest';
import { StdcopyDemuxer } from './demux.js';

describe('StdcopyDemuxer', () => {
  const stream = Buffer.concat([
    frame(1, 'one'),
    frame(2, 'dropped'),
    frame(1, ''),
    frame(1, 'two'),
    frame(3, 'engine'),
    frame(1, 'x'),
  ]);

  it('gives the same bytes whatever the size of the chunks', () => {
    for (let size = 1; size <= stream.length; size += 1) {
      const { demuxer, text } = collect();
      for (let at = 0; at < stream.length; at += size) expect(demuxer.push(stream.subarray(at, at + size))).toBe(true);
      expect(text()).toBe('onetwox');
    }
  });

  it('gives the same bytes for every pair of splits', () => {
    for (let first = 0; first <= stream.length; first += 1) {
      for (let second = first; second <= stream.length; second += 1) {
        const { demuxer, text } = collect();
        for (const part of [stream.subarray(0, first), stream.subarray(first, second), stream.subarray(second)])
          demuxer.push(part);
        expect(text()).toBe('onetwox');
      }
    }
  });

  it('forwards a part of a payload as it arrives', () => {
    const { demuxer, text } = collect();
    demuxer.push(frame(1, 'prompt: ').subarray(0, 8 + 6));
    expect(text()).toBe('prompt');
  });

  it('passes views and copies nothing', () => {
    const chunk = frame(1, 'bytes');
    const seen: Buffer[] = [];
    new StdcopyDemuxer((payload) => seen.push(payload)).push(chunk);
    expect(seen[0]?.buffer).toBe(chunk.buffer);
  });

  it('handles a hundred thousand one-byte frames in one chunk', () => {
    const { demuxer, text } = collect();
    demuxer.push(Buffer.concat(Array.from({ length: 100_000 }, () => frame(1, 'y'))));
    expect(text()).toHaveLength(100_000);
  });

  it('refuses a stream that is not multiplexed', () => {
    const { demuxer, text } = collect();
    expect(demuxer.push(Buffer.from('plain text, not frames'))).toBe(false);
    expect(text()).toBe('');
  });
});

function frame(stream: number, text: string): Buffer {
  const payload = Buffer.from(text);
  const header = Buffer.alloc(8);
  header.writeUInt8(stream, 0);
  header.writeUInt32BE(payload.length, 4);
  return Buffer.concat([header, payload]);
}

function collect(): { demuxer: StdcopyDemuxer; text: () => string } {
  const parts: Buffer[] = [];
  return { demuxer: new StdcopyDemuxer((payload) => parts.push(payload)), text: () => Buffer.concat(parts).toString() };
}
