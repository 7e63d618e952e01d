// Rules of the limits of one run.
import { expect, test } from 'vitest';
import { lowerLimits } from './limits.js';

const server = { wallMs: 100, cpuMs: 50, idleMs: 60, outputBytes: 1000 };

test('a request lowers a limit', () => {
  expect(lowerLimits(server, { wallMs: 40 }).wallMs).toBe(40);
});

test('a request cannot raise a limit', () => {
  expect(lowerLimits(server, { wallMs: 400, outputBytes: 10_000 })).toEqual(server);
});

test('the lowest of several wins', () => {
  expect(lowerLimits(server, { cpuMs: 30 }, { cpuMs: 20 }, {}).cpuMs).toBe(20);
});
