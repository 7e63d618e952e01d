// Tests of how long a run goes on when nobody listens, and of what a client that comes back finds. Fake clock.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Audience } from './audience.js';
import type { EventSink, RunEvent } from './events.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const OUT: RunEvent = { type: 'stdout', text: 'x' };
const END: RunEvent = { type: 'error', code: 'internal', message: '' };

class Sink implements EventSink {
  readonly seqs: number[] = [];
  why: string | undefined;
  event = (seq: number) => this.seqs.push(seq) > 0;
  stdinConsumed = () => undefined;
  end = (why: string) => void (this.why = why);
}

function setup(keep: boolean) {
  const heard: string[] = [];
  const audience: Audience = new Audience({
    ringBytes: 1000,
    keep,
    unattachedMs: 100,
    resumeMs: 1000,
    onHold: (held) => void heard.push(held ? 'held' : 'released'),
    onDeserted: () => {
      heard.push('deserted');
      audience.add(END);
    },
    onAlone: (alone) => void heard.push(alone ? 'alone' : 'joined'),
    onKept: () => void heard.push('kept'),
    onClosed: () => void heard.push('closed'),
  });
  const attach = (after = 0) => {
    const sink = new Sink();
    audience.attach(sink, after);
    return sink;
  };
  const lose = (sink: Sink) => {
    audience.detach(sink);
    audience.lost();
  };
  return { heard, audience, attach, lose };
}

test('nobody comes: deserted, and forgotten', () => {
  const { heard } = setup(true);
  vi.advanceTimersByTime(100);
  expect(heard).toEqual(['deserted', 'closed']);
});

test('kill: who is lost ends it at once', () => {
  const { heard, attach, lose } = setup(false);
  lose(attach());
  expect(heard).toEqual(['deserted']);
  vi.advanceTimersByTime(100);
  expect(heard).toEqual(['deserted', 'closed']);
});

test('keep: it goes on for the window, and who comes back hears the rest once', () => {
  const { heard, audience, attach, lose } = setup(true);
  const first = attach();
  audience.add(OUT);
  lose(first);
  audience.add(OUT);
  vi.advanceTimersByTime(999);
  const second = attach(1);
  audience.add(OUT);
  expect([first.seqs, second.seqs]).toEqual([[1], [2, 3]]);
  lose(second);
  vi.advanceTimersByTime(1000);
  expect(heard).toEqual(['alone', 'joined', 'alone', 'deserted', 'closed']);
});

test('kill becomes keep when the one who listens says that he goes', () => {
  const { heard, audience, attach, lose } = setup(false);
  const sink = attach();
  audience.keepForResume();
  lose(sink);
  expect(heard).toEqual(['alone']);
  audience.expire();
  expect(heard).toEqual(['alone', 'deserted', 'closed']);
  expect(vi.getTimerCount()).toBe(0);
});

test('an end that was heard is kept for the window from then on, however often it is asked for', () => {
  const { heard, audience, attach } = setup(true);
  attach();
  audience.add(OUT);
  audience.add(END);
  expect(heard).toEqual(['kept']);
  vi.advanceTimersByTime(600);
  const again = attach(1);
  expect(again).toMatchObject({ seqs: [2], why: 'done' });
  expect(audience.isLast(1)).toBe(false);
  expect(audience.isLast(2)).toBe(true);
  vi.advanceTimersByTime(400);
  expect(heard).toEqual(['kept', 'closed']);
  expect(vi.getTimerCount()).toBe(0);
});

test('an end that was heard and is not to be kept is forgotten at once', () => {
  const { heard, audience, attach } = setup(false);
  attach();
  audience.add(END);
  expect(heard).toEqual(['closed']);
  expect(vi.getTimerCount()).toBe(0);
});

test('while nobody listens what was sent is held too, and the program waits', () => {
  const { heard, audience, attach, lose } = setup(true);
  const sink = attach();
  for (let i = 0; i < 10; i++) audience.add(OUT);
  lose(sink);
  for (let i = 0; i < 10; i++) audience.add(OUT);
  expect(heard).toEqual(['alone', 'held']);
  expect(attach(0).seqs).toHaveLength(20);
  expect(heard).toEqual(['alone', 'held', 'joined', 'released']);
});

test('one that takes over ends the other, and is lost for itself only', () => {
  const { heard, attach, lose } = setup(false);
  const first = attach();
  attach();
  expect(first.why).toBe('taken_over');
  lose(first);
  vi.advanceTimersByTime(10_000);
  expect(heard).toEqual([]);
});
