// Tests of the delivery of a run's events, of how long it continues without a subscriber, and of what a resume gets. Fake clock.
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Subscription } from './subscription.js';
import type { EventSink, RunEvent } from '../run/events.js';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const OUT: RunEvent = { type: 'stdout', bytes: Buffer.from('x') };
const END: RunEvent = { type: 'error', code: 'internal', message: '' };

class Sink implements EventSink {
  readonly seqs: number[] = [];
  why: string | undefined;
  event = (seq: number) => this.seqs.push(seq) > 0;
  stdinConsumed = () => undefined;
  end: EventSink['end'] = (why) => {
    this.why = why;
  };
}

function setup(keep: boolean) {
  const calls: string[] = [];
  const subscription: Subscription = new Subscription({
    ringBytes: 1000,
    keep,
    unattachedMs: 100,
    resumeMs: 1000,
    onHold: (held) => void calls.push(held ? 'held' : 'released'),
    onExpired: () => {
      calls.push('expired');
      subscription.add(END);
    },
    onDetached: (detached) => void calls.push(detached ? 'detached' : 'attached'),
    onKept: () => void calls.push('kept'),
    onClosed: () => void calls.push('closed'),
  });
  const attach = (after = 0) => {
    const sink = new Sink();
    subscription.attach(sink, after);
    return sink;
  };
  const lose = (sink: Sink) => {
    subscription.detach(sink);
    subscription.lost();
  };
  return { calls, subscription, attach, lose };
}

test('a run that no gateway attaches to expires', () => {
  const { calls } = setup(true);
  vi.advanceTimersByTime(100);
  expect(calls).toEqual(['expired', 'closed']);
});

test('with on_disconnect kill, a lost subscriber ends the run at once', () => {
  const { calls, attach, lose } = setup(false);
  lose(attach());
  expect(calls).toEqual(['expired']);
  vi.advanceTimersByTime(100);
  expect(calls).toEqual(['expired', 'closed']);
});

test('with on_disconnect keep, the run continues for the resume window and a resume gets each missed event once', () => {
  const { calls, subscription, attach, lose } = setup(true);
  const first = attach();
  subscription.add(OUT);
  lose(first);
  subscription.add(OUT);
  vi.advanceTimersByTime(999);
  const second = attach(1);
  subscription.add(OUT);
  expect([first.seqs, second.seqs]).toEqual([[1], [2, 3]]);
  lose(second);
  vi.advanceTimersByTime(1000);
  expect(calls).toEqual(['detached', 'attached', 'detached', 'expired', 'closed']);
});

test('a gateway that announces its close turns kill into keep', () => {
  const { calls, subscription, attach, lose } = setup(false);
  const sink = attach();
  subscription.keepForResume();
  lose(sink);
  expect(calls).toEqual(['detached']);
  subscription.expire();
  expect(calls).toEqual(['detached', 'expired', 'closed']);
  expect(vi.getTimerCount()).toBe(0);
});

test('a delivered end is kept for the resume window, which a resume does not extend', () => {
  const { calls, subscription, attach } = setup(true);
  attach();
  subscription.add(OUT);
  subscription.add(END);
  expect(calls).toEqual(['kept']);
  vi.advanceTimersByTime(600);
  const again = attach(1);
  expect(again).toMatchObject({ seqs: [2], why: 'done' });
  expect(subscription.isLast(1)).toBe(false);
  expect(subscription.isLast(2)).toBe(true);
  vi.advanceTimersByTime(400);
  expect(calls).toEqual(['kept', 'closed']);
  expect(vi.getTimerCount()).toBe(0);
});

test('with on_disconnect kill, a delivered end is dropped at once', () => {
  const { calls, subscription, attach } = setup(false);
  attach();
  subscription.add(END);
  expect(calls).toEqual(['closed']);
  expect(vi.getTimerCount()).toBe(0);
});

test('without a subscriber, sent events are kept too and the program pauses', () => {
  const { calls, subscription, attach, lose } = setup(true);
  const sink = attach();
  for (let i = 0; i < 10; i++) subscription.add(OUT);
  lose(sink);
  for (let i = 0; i < 10; i++) subscription.add(OUT);
  expect(calls).toEqual(['detached', 'held']);
  expect(attach(0).seqs).toHaveLength(20);
  expect(calls).toEqual(['detached', 'held', 'attached', 'released']);
});

test('a takeover ends the previous subscriber, whose disconnect then has no effect', () => {
  const { calls, attach, lose } = setup(false);
  const first = attach();
  attach();
  expect(first.why).toBe('taken_over');
  lose(first);
  vi.advanceTimersByTime(10_000);
  expect(calls).toEqual([]);
});

/** As a gRPC stream does: a sink that is ended detaches. */
class DetachingSink extends Sink {
  constructor(subscription: Subscription) {
    super();
    this.end = () => subscription.detach(this);
  }
}

test('a subscriber that detaches when it is taken over does not start the new one’s resume window', () => {
  const { calls, subscription } = setup(true);
  subscription.attach(new DetachingSink(subscription), 0);
  subscription.attach(new DetachingSink(subscription), 0);
  vi.advanceTimersByTime(10_000);
  expect(calls).toEqual([]);
});

test('a run whose end was delivered does not count as one that waits for a resume', () => {
  const { calls, subscription } = setup(true);
  subscription.attach(new DetachingSink(subscription), 0);
  subscription.add(END);
  expect(calls).toEqual(['kept']);
});

const text = (value: string): RunEvent => ({ type: 'stdout', bytes: Buffer.from(value) });

/** A subscription of a run that is not kept, and everything that it does, in order. */
function delivery(ringBytes = 10_000) {
  const log: string[] = [];
  const subscription = new Subscription({
    ringBytes,
    keep: false,
    unattachedMs: 100,
    resumeMs: 1000,
    onHold: (held) => log.push(held ? 'hold' : 'go'),
    onExpired: () => log.push('expired'),
    onDetached: () => log.push('detached'),
    onKept: () => log.push('kept'),
    onClosed: () => log.push('closed'),
  });
  const sink = (name: string, takes = Number.POSITIVE_INFINITY) => {
    let left = takes;
    return {
      event: (seq: number, event: RunEvent) => {
        log.push(`${name}:${seq}:${'bytes' in event ? event.bytes.toString() : event.type}`);
        return --left > 0;
      },
      stdinConsumed: (bytes: number) => log.push(`${name}:ack:${bytes}`),
      end: (why: string) => log.push(`${name}:${why}`),
      more: (count: number) => {
        left = count;
      },
    };
  };
  return { subscription, log, sink };
}

test('events from before an attach are sent first', () => {
  const { subscription, log, sink } = delivery();
  subscription.add(text('a'));
  subscription.attach(sink('s'), 0);
  subscription.add(text('b'));
  expect(log).toEqual(['s:1:a', 's:2:b']);
});

test('a congested sink pauses the program until it takes events again', () => {
  const { subscription, log, sink } = delivery();
  const slow = sink('s', 1);
  subscription.attach(slow, 0);
  subscription.add(text('a'));
  subscription.add(text('b'));
  expect(log).toEqual(['s:1:a', 'hold']);
  slow.more(9);
  subscription.resume(slow);
  expect(log).toEqual(['s:1:a', 'hold', 's:2:b', 'go']);
});

test('without a subscriber a full ring pauses the program, and nothing is lost', () => {
  const { subscription, log, sink } = delivery(100);
  subscription.add(text('x'.repeat(200)));
  expect(log).toEqual(['hold']);
  subscription.attach(sink('s'), 0);
  expect(log.at(-1)).toBe('go');
  expect(log[1]).toMatch(/^s:1:x{200}$/);
});

test('the terminal event ends the sink once', () => {
  const { subscription, log, sink } = delivery();
  subscription.attach(sink('s'), 0);
  subscription.add(END);
  expect(log).toEqual(['s:1:error', 's:done', 'closed']);
});

test('a second attach takes over and gets the events it asks for', () => {
  const { subscription, log, sink } = delivery();
  subscription.attach(sink('old'), 0);
  subscription.add(text('a'));
  subscription.add(text('b'));
  subscription.attach(sink('new'), 1);
  expect(log).toEqual(['old:1:a', 'old:2:b', 'old:taken_over', 'new:2:b']);
});

test('an attach for events that are no longer held ends with a gap', () => {
  const { subscription, log, sink } = delivery(100);
  subscription.attach(sink('old'), 0);
  for (const value of ['a', 'b', 'c', 'd']) subscription.add(text(value));
  subscription.attach(sink('new'), 0);
  expect(log.at(-1)).toBe('new:gap');
});
