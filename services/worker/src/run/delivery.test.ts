// Rules of the delivery of a run's events.
import { expect, test } from 'vitest';
import { Delivery } from './delivery.js';
import type { RunEvent } from './events.js';

const text = (value: string): RunEvent => ({ type: 'stdout', text: value });
const failure: RunEvent = { type: 'error', code: 'internal', message: '' };

function setup(ringBytes = 10_000) {
  const log: string[] = [];
  const delivery = new Delivery({
    ringBytes,
    onHold: (held) => log.push(held ? 'hold' : 'go'),
    onDelivered: () => log.push('delivered'),
  });
  const sink = (name: string, takes = Number.POSITIVE_INFINITY) => {
    let left = takes;
    return {
      event: (seq: number, event: RunEvent) => {
        log.push(`${name}:${seq}:${'text' in event ? event.text : event.type}`);
        return --left > 0;
      },
      stdinConsumed: (bytes: number) => log.push(`${name}:ack:${bytes}`),
      end: (why: string) => log.push(`${name}:${why}`),
      more: (count: number) => {
        left = count;
      },
    };
  };
  return { delivery, log, sink };
}

test('what came before the attach is sent first', () => {
  const { delivery, log, sink } = setup();
  delivery.add(text('a'));
  delivery.attach(sink('s'), 0);
  delivery.add(text('b'));
  expect(log).toEqual(['s:1:a', 's:2:b']);
});

test('a sink that takes no more holds the program until it takes again', () => {
  const { delivery, log, sink } = setup();
  const slow = sink('s', 1);
  delivery.attach(slow, 0);
  delivery.add(text('a'));
  delivery.add(text('b'));
  expect(log).toEqual(['s:1:a', 'hold']);
  slow.more(9);
  delivery.resume(slow);
  expect(log).toEqual(['s:1:a', 'hold', 's:2:b', 'go']);
});

test('with nobody attached the program is held when the ring is full, and nothing is lost', () => {
  const { delivery, log, sink } = setup(100);
  delivery.add(text('x'.repeat(200)));
  expect(log).toEqual(['hold']);
  delivery.attach(sink('s'), 0);
  expect(log.at(-1)).toBe('go');
  expect(log[1]).toMatch(/^s:1:x{200}$/);
});

test('the terminal event ends the sink, once', () => {
  const { delivery, log, sink } = setup();
  delivery.attach(sink('s'), 0);
  delivery.add(failure);
  expect(log).toEqual(['s:1:error', 's:done', 'delivered']);
});

test('a second attach takes over and gets what it asks for', () => {
  const { delivery, log, sink } = setup();
  delivery.attach(sink('old'), 0);
  delivery.add(text('a'));
  delivery.add(text('b'));
  delivery.attach(sink('new'), 1);
  expect(log).toEqual(['old:1:a', 'old:2:b', 'old:taken_over', 'new:2:b']);
});

test('an attach behind what is held is told of the gap', () => {
  const { delivery, log, sink } = setup(100);
  delivery.attach(sink('old'), 0);
  for (const value of ['a', 'b', 'c', 'd']) delivery.add(text(value));
  delivery.attach(sink('new'), 0);
  expect(log.at(-1)).toBe('new:gap');
});
