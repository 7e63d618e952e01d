// Rules of the semaphore: how many run, how many wait, and how a waiter leaves.
import { expect, test } from 'vitest';
import { Slots } from './slots.js';

const NEVER = new AbortController().signal;

function gate(): { promise: Promise<void>; open: () => void } {
  let open: () => void = () => undefined;
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { promise, open };
}

test('runs as many at once as it may, the others in their order', async () => {
  const slots = new Slots({ atOnce: 2, waiting: 10 });
  const gates = [gate(), gate(), gate(), gate()];
  const began: number[] = [];
  const works = gates.map(({ promise }, index) =>
    slots.run(NEVER, async () => {
      began.push(index);
      await promise;
      return index;
    }),
  );
  await Promise.resolve();
  expect(began).toEqual([0, 1]);
  gates[1]?.open();
  await works[1];
  await Promise.resolve();
  expect(began).toEqual([0, 1, 2]);
  for (const { open } of gates) open();
  expect(await Promise.all(works)).toEqual([0, 1, 2, 3]);
});

test('refuses one too many without running it', async () => {
  const slots = new Slots({ atOnce: 1, waiting: 1 });
  const { promise, open } = gate();
  const first = slots.run(NEVER, () => promise);
  const second = slots.run(NEVER, async () => 'second');
  expect(await slots.run(NEVER, async () => 'third')).toBeUndefined();
  open();
  await first;
  expect(await second).toBe('second');
});

test('a waiter that leaves gives its place to the next', async () => {
  const slots = new Slots({ atOnce: 1, waiting: 5 });
  const { promise, open } = gate();
  const first = slots.run(NEVER, () => promise);
  const abort = new AbortController();
  const left = slots.run(abort.signal, async () => 'left');
  const stays = slots.run(NEVER, async () => 'stays');
  abort.abort(new Error('caller left'));
  await expect(left).rejects.toThrow('caller left');
  open();
  await first;
  expect(await stays).toBe('stays');
  expect(await slots.run(NEVER, async () => 'free again')).toBe('free again');
});

test('a place is free again after work that failed', async () => {
  const slots = new Slots({ atOnce: 1, waiting: 0 });
  await expect(slots.run(NEVER, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await slots.run(NEVER, async () => 'yes')).toBe('yes');
});
