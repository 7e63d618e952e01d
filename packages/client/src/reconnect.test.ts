// The close table and the client's reading of it.
import { CLOSE } from '@rungrid/proto/close-codes';
import { expect, test } from 'vitest';
import { afterClose, FINAL_CLOSES } from './reconnect.js';

const after = (code: number, attempt = 0) => afterClose(code, { attempt, askedMs: 0, random: 1 });

test('the final close codes are those that the protocol marks so', () => {
  const final = Object.values(CLOSE).flatMap((info) => (info.reconnect ? [] : [info.code]));
  expect(new Set(FINAL_CLOSES)).toEqual(new Set(final));
});

test.each(Object.values(CLOSE))('$code $reason: reconnects as the table says', ({ code, reconnect }) => {
  expect(after(code).kind === 'closed').toBe(!reconnect);
});

test('an idle close waits for the next use', () => {
  expect(after(CLOSE.idle.code)).toEqual({ kind: 'asleep' });
});

test('the pause doubles up to its longest, and half of it is random', () => {
  expect([0, 1, 2, 20].map((attempt) => after(1006, attempt))).toEqual(
    [500, 1000, 2000, 15_000].map((delayMs) => ({ kind: 'retry', delayMs })),
  );
  expect(afterClose(1006, { attempt: 1, askedMs: 0, random: 0 })).toEqual({ kind: 'retry', delayMs: 500 });
});

test('the pause that a draining gateway asked for comes on top', () => {
  expect(afterClose(1012, { attempt: 0, askedMs: 3000, random: 1 })).toEqual({ kind: 'retry', delayMs: 3500 });
});
