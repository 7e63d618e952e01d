// stdin goes one confirmed chunk at a time, in order, and loses nothing to a program that does not read or to a lost connection.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StdinPace, StdinQueue } from './stdin.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function rig(waits: number[] = []) {
  const log: string[] = [];
  const queue = new StdinQueue({
    sendText: (text) => log.push(text),
    sendClose: () => log.push('EOF'),
    takePermit: () => waits.shift() ?? 0,
  });
  queue.open();
  return { queue, log };
}

/** Whether it has resolved by now. */
async function isDone(promise: Promise<void>): Promise<boolean> {
  let done = false;
  void promise.then(() => (done = true));
  await vi.advanceTimersByTimeAsync(0);
  return done;
}

test('a typed line goes at once; what comes meanwhile waits for its confirmation', async () => {
  const { queue, log } = rig();
  expect(await isDone(queue.write('a'))).toBe(true);
  const late = queue.write('b');
  void queue.write('c');
  expect(log).toEqual(['a']);
  expect(await isDone(late)).toBe(false);
  queue.confirmed();
  expect(log).toEqual(['a', 'bc']);
  expect(await isDone(late)).toBe(true);
});

test('a refused chunk keeps its place and is sent again after a pause', () => {
  const { queue, log } = rig();
  void queue.write('a');
  void queue.write('b');
  expect(queue.refuse()).toBe(true);
  queue.confirmed();
  expect(log).toEqual(['a']);
  vi.advanceTimersByTime(20);
  expect(log).toEqual(['a', 'ab']);
});

test('a refusal without a chunk in flight is about another frame', () => {
  expect(rig().queue.refuse()).toBe(false);
});

test('a chunk that may not go yet waits for its permit', () => {
  const { queue, log } = rig([40]);
  void queue.write('a');
  void queue.write('b');
  expect(log).toEqual([]);
  vi.advanceTimersByTime(40);
  expect(log).toEqual(['ab']);
});

test('EOF follows the last confirmed chunk, once', () => {
  const { queue, log } = rig();
  void queue.write('a');
  queue.end();
  expect(log).toEqual(['a']);
  queue.confirmed();
  queue.confirmed();
  expect(log).toEqual(['a', 'EOF']);
});

test('what is written before the connection is open waits for it', () => {
  const log: string[] = [];
  const queue = new StdinQueue({ sendText: (text) => log.push(text), sendClose: () => undefined, takePermit: () => 0 });
  void queue.write('a');
  expect(log).toEqual([]);
  queue.open();
  expect(log).toEqual(['a']);
});

test('after a resume, what the run has not received is sent again, in order, and EOF too', () => {
  const { queue, log } = rig();
  for (const text of ['one ', 'é two ', 'three ']) {
    void queue.write(text);
    queue.confirmed();
  }
  queue.end();
  queue.close();
  void queue.write('dropped: it is behind EOF');
  log.length = 0;
  queue.open(6);
  expect(log).toEqual([' two three ']);
  queue.confirmed();
  expect(log.slice(1)).toEqual(['EOF']);
});

test('a run that was typed to by another client before is not sent anything twice', () => {
  const { queue, log } = rig();
  queue.open(1000);
  void queue.write('a');
  queue.close();
  queue.open(1001);
  void queue.write('b');
  expect(log).toEqual(['a', 'b']);
});

test('of the oldest confirmed text no more is kept than gateway and worker hold', () => {
  const { queue, log } = rig();
  const text = 'x'.repeat(49_152);
  for (let i = 0; i < 40; i++) {
    void queue.write(text);
    queue.confirmed();
  }
  queue.close();
  log.length = 0;
  queue.open(0);
  for (let i = 0; i < 40; i++) queue.confirmed();
  const bytes = log.join('').length;
  expect(bytes).toBeGreaterThanOrEqual(524_288);
  expect(bytes).toBeLessThan(524_288 + text.length);
});

test('a large input goes in chunks that fit, and no character is cut', () => {
  const { queue, log } = rig();
  const text = `x${'😀'.repeat(20_000)}é`;
  void queue.write(text);
  for (let turn = 0; turn < 100; turn++) queue.confirmed();
  expect(log.join('')).toBe(text);
  for (const chunk of log) {
    const bytes = new TextEncoder().encode(chunk);
    expect(bytes.length).toBeLessThanOrEqual(49_152);
    expect(new TextDecoder().decode(bytes)).toBe(chunk);
  }
});

test('the end of the run lets every writer go', async () => {
  const { queue } = rig();
  void queue.write('a');
  const late = queue.write('b');
  queue.close(true);
  expect(await isDone(late)).toBe(true);
  expect(await isDone(queue.write('c'))).toBe(true);
});

test('a connection’s pace is a share of the frames that its gateway takes', () => {
  const pace = new StdinPace(100);
  expect(Array.from({ length: 40 }, () => pace.take())).toEqual(Array.from({ length: 40 }, () => 0));
  expect(pace.take()).toBe(25);
  vi.advanceTimersByTime(25);
  expect(pace.take()).toBe(0);
});
