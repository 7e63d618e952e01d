// Rules of the ring of events.
import { expect, test } from 'vitest';
import { EventRing } from './ring.js';

const text = (length: number) => ({ type: 'stdout', bytes: Buffer.alloc(length, 'x') }) as const;

test('events are numbered from 1 and read in order', () => {
  const ring = new EventRing(1000);
  ring.add(text(1));
  ring.add(text(2));
  expect(ring.after(0)).toMatchObject({ seq: 1, event: text(1) });
  expect(ring.after(1)).toMatchObject({ seq: 2, event: text(2) });
  expect(ring.after(2)).toBeUndefined();
});

test('a full ring never drops an undelivered event', () => {
  const ring = new EventRing(100);
  ring.add(text(500));
  ring.add(text(500));
  ring.trim(0);
  expect(ring.full).toBe(true);
  expect(ring.after(0)).toMatchObject({ seq: 1 });
});

test('asking for a dropped event returns a gap', () => {
  const ring = new EventRing(300);
  for (let i = 0; i < 5; i++) ring.add(text(100));
  ring.trim(4);
  expect(ring.after(0)).toBe('gap');
  expect(ring.after(4)).toMatchObject({ seq: 5 });
});
