// stdin goes one confirmed chunk at a time, in order, and loses nothing to a program that does not read.
import { expect, test } from 'vitest';
import { StdinFeed } from './stdin-feed.js';

function rig() {
  const log: string[] = [];
  const timers: (() => void)[] = [];
  const waits: number[] = [];
  const feed = new StdinFeed({
    send: (text) => log.push(`send ${text.length > 8 ? text.length : text}`),
    close: () => log.push('close'),
    pause: () => log.push('pause'),
    resume: () => log.push('resume'),
    permit: () => waits.shift() ?? 0,
    later: (callback) => timers.push(callback),
  });
  return { feed, log, timers, waits };
}

test('a typed line goes at once', () => {
  const { feed, log } = rig();
  feed.data(Buffer.from('hi\n'));
  expect(log).toEqual(['send hi\n']);
});

test('what comes meanwhile waits, and the source is paused', () => {
  const { feed, log } = rig();
  feed.data(Buffer.from('a'));
  feed.data(Buffer.from('b'));
  feed.data(Buffer.from('c'));
  expect(log).toEqual(['send a', 'pause', 'pause']);
  feed.confirmed();
  expect(log.slice(3)).toEqual(['send bc']);
  feed.confirmed();
  expect(log.slice(4)).toEqual(['resume']);
});

test('a refused chunk keeps its place and is sent again', () => {
  const { feed, log, timers } = rig();
  feed.data(Buffer.from('a'));
  feed.data(Buffer.from('b'));
  feed.refuse();
  feed.confirmed();
  expect(log).toEqual(['send a', 'pause']);
  feed.data(Buffer.from('c'));
  feed.confirmed();
  timers.shift()?.();
  expect(log.filter((line) => line.startsWith('send'))).toEqual(['send a', 'send abc']);
});

test('a chunk that may not go yet waits, with what comes meanwhile', () => {
  const { feed, log, timers, waits } = rig();
  waits.push(40);
  feed.data(Buffer.from('a'));
  feed.data(Buffer.from('b'));
  expect(log).toEqual(['pause']);
  timers.shift()?.();
  expect(log).toEqual(['pause', 'send ab']);
});

test('the end closes stdin once everything is confirmed, and once only', () => {
  const { feed, log } = rig();
  feed.data(Buffer.from('a'));
  feed.end();
  expect(log).toEqual(['send a']);
  feed.confirmed();
  feed.confirmed();
  expect(log).toEqual(['send a', 'close']);
});

test('an empty source is closed at once', () => {
  const { feed, log } = rig();
  feed.end();
  expect(log).toEqual(['close']);
});

test('a large input goes in chunks that fit, and no character is cut', () => {
  const sent: string[] = [];
  const feed = new StdinFeed({
    send: (text) => sent.push(text),
    close: () => undefined,
    pause: () => undefined,
    permit: () => 0,
    resume: () => undefined,
    later: () => undefined,
  });
  const text = `x${'😀'.repeat(20_000)}é`;
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 1001) feed.data(bytes.subarray(at, at + 1001));
  feed.end();
  for (let turn = 0; turn < 100; turn++) feed.confirmed();
  expect(sent.join('')).toBe(text);
  for (const chunk of sent) {
    expect(Buffer.byteLength(chunk)).toBeLessThanOrEqual(49_152);
    expect(Buffer.from(chunk).toString()).toBe(chunk);
  }
});
