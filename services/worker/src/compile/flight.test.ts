// Who hears what of a compile step, whenever they join and leave.
import { expect, test } from 'vitest';
import type { CompileResult } from '../run/artifacts.js';
import { Flight } from './flight.js';

const result: CompileResult = { kind: 'fault', code: 'internal', message: 'x' };

function follower() {
  const heard: string[] = [];
  return {
    heard,
    diagnostics: (bytes: Buffer) => void heard.push(bytes.toString()),
    settled: ({ kind }: CompileResult) => void heard.push(kind),
  };
}

test('one that joins late hears everything, in order, once', () => {
  const flight = new Flight();
  const [early, late] = [follower(), follower()];
  flight.join(early);
  flight.diagnostics(Buffer.from('a'));
  flight.join(late);
  flight.diagnostics(Buffer.from('b'));
  flight.settle(result);
  flight.settle(result);
  expect([early.heard, late.heard]).toEqual([
    ['a', 'b', 'fault'],
    ['a', 'b', 'fault'],
  ]);
});

test('one that has left hears nothing more', () => {
  const flight = new Flight();
  const [one, other] = [follower(), follower()];
  const leave = flight.join(one);
  flight.join(other);
  leave();
  leave();
  flight.diagnostics(Buffer.from('a'));
  expect(flight.signal.aborted).toBe(false);
  expect([one.heard, other.heard]).toEqual([[], ['a']]);
});

test('it is given up with its last follower, unless it is over', () => {
  const given = new Flight();
  given.join(follower())();
  expect(given.signal.aborted).toBe(true);

  const over = new Flight();
  const leave = over.join(follower());
  over.settle(result);
  leave();
  expect(over.signal.aborted).toBe(false);
});

test('one that leaves while it is being told does not keep the others from hearing', () => {
  const flight = new Flight();
  const other = follower();
  const leave = flight.join({ diagnostics: () => leave(), settled: () => undefined });
  flight.join(other);
  flight.diagnostics(Buffer.from('a'));
  flight.settle(result);
  expect(other.heard).toEqual(['a', 'fault']);
});
