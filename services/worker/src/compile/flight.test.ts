// Rules of what each follower of a compile step receives.
import { expect, test } from 'vitest';
import type { CompileResult } from '../run/artifacts.js';
import { Flight } from './flight.js';

const result: CompileResult = { kind: 'fault', code: 'internal', message: 'x' };

function follower() {
  const received: string[] = [];
  return {
    received,
    diagnostics: (bytes: Buffer) => void received.push(bytes.toString()),
    settled: ({ kind }: CompileResult) => void received.push(kind),
  };
}

test('a late follower receives everything, in order, once', () => {
  const flight = new Flight();
  const [early, late] = [follower(), follower()];
  flight.join(early);
  flight.diagnostics(Buffer.from('a'));
  flight.join(late);
  flight.diagnostics(Buffer.from('b'));
  flight.settle(result);
  flight.settle(result);
  expect([early.received, late.received]).toEqual([
    ['a', 'b', 'fault'],
    ['a', 'b', 'fault'],
  ]);
});

test('a follower that left receives nothing more', () => {
  const flight = new Flight();
  const [one, other] = [follower(), follower()];
  const leave = flight.join(one);
  flight.join(other);
  leave();
  leave();
  flight.diagnostics(Buffer.from('a'));
  expect(flight.signal.aborted).toBe(false);
  expect([one.received, other.received]).toEqual([[], ['a']]);
});

test('it is aborted with its last follower, unless it is over', () => {
  const given = new Flight();
  given.join(follower())();
  expect(given.signal.aborted).toBe(true);

  const over = new Flight();
  const leave = over.join(follower());
  over.settle(result);
  leave();
  expect(over.signal.aborted).toBe(false);
});

test('a follower that leaves during a call does not affect the others', () => {
  const flight = new Flight();
  const other = follower();
  const leave = flight.join({ diagnostics: () => leave(), settled: () => undefined });
  flight.join(other);
  flight.diagnostics(Buffer.from('a'));
  flight.settle(result);
  expect(other.received).toEqual(['a', 'fault']);
});
