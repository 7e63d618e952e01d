// Rules of the outcome of a run.
import { expect, test } from 'vitest';
import { limitPassed, outcomeOfCompile, outcomeOfExit, signalName } from './outcome.js';

const usage = { cpuMs: 10, memoryPeakBytes: 1, oomKills: 0, pidsRefused: 0 };

test('a program that ends by itself has its exit code', () => {
  expect(outcomeOfExit({ kind: 'exited', code: 3 }, usage)).toEqual({ reason: 'exited', code: 3, signal: undefined });
});

test('a program that a signal ended has the name of the signal', () => {
  expect(outcomeOfExit({ kind: 'signaled', signo: 11 }, usage)).toEqual({
    reason: 'signaled',
    code: undefined,
    signal: 'SIGSEGV',
  });
});

test('an out-of-memory kill of any process is the reason, whatever the main process returned', () => {
  expect(outcomeOfExit({ kind: 'exited', code: 0 }, { ...usage, oomKills: 1 }).reason).toBe('memory_limit');
});

test.each([
  ['exits with an error', { kind: 'exited', code: 1 }, 'process_limit'],
  ['dies of a signal', { kind: 'signaled', signo: 6 }, 'process_limit'],
  ['copes with it', { kind: 'exited', code: 0 }, 'exited'],
] as const)('a program that was refused a process and %s ends as it should', (_, end, reason) => {
  expect(outcomeOfExit(end, { oomKills: 0, pidsRefused: 1 }).reason).toBe(reason);
});

test('a compiler that ran out of memory is not a compile error of the program', () => {
  const failed = { kind: 'exited', code: 1 } as const;
  expect(outcomeOfCompile(failed, { oomKills: 1, pidsRefused: 0 })).toEqual({
    reason: 'memory_limit',
    code: 1,
    signal: undefined,
  });
  expect(outcomeOfCompile(failed, { oomKills: 0, pidsRefused: 0 }).reason).toBe('compile_error');
});

test('exit status 137 alone does not count as a memory limit', () => {
  expect(outcomeOfExit({ kind: 'signaled', signo: 9 }, usage).reason).toBe('signaled');
});

test.each([
  ['nothing', { usage, cpuBaseMs: 0, refusedBefore: [0, 0] }, undefined],
  ['CPU time over the limit', { usage: { ...usage, cpuMs: 110 }, cpuBaseMs: 10, refusedBefore: [0, 0] }, 'cpu_limit'],
  ['CPU time before the start', { usage: { ...usage, cpuMs: 110 }, cpuBaseMs: 11, refusedBefore: [0, 0] }, undefined],
  ['a process limit met once', { usage: { ...usage, pidsRefused: 1 }, cpuBaseMs: 0, refusedBefore: [0, 0] }, undefined],
  ['a process limit met once', { usage: { ...usage, pidsRefused: 1 }, cpuBaseMs: 0, refusedBefore: [0, 1] }, undefined],
  [
    'a process limit hit again and again',
    { usage: { ...usage, pidsRefused: 9 }, cpuBaseMs: 0, refusedBefore: [0, 5] },
    'process_limit',
  ],
  ['an out-of-memory kill', { usage: { ...usage, oomKills: 1 }, cpuBaseMs: 0, refusedBefore: [0, 0] }, 'memory_limit'],
] as const)('%s', (_, sample, reason) => {
  expect(limitPassed(sample, { cpuMs: 100 })).toBe(reason);
});

test('every signal has a name', () => {
  expect([signalName(6), signalName(9), signalName(40)]).toEqual(['SIGABRT', 'SIGKILL', 'SIGRT40']);
});
