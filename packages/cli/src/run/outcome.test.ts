// How a run's end becomes an exit code.
import { END_REASONS } from '@rungrid/proto/limits';
import { expect, test } from 'vitest';
import { type ExitEvent, exitCodeOf, explain } from './outcome.js';

const END: ExitEvent = {
  code: null,
  signal: null,
  reason: 'exited',
  usage: { wall_ms: 1500, cpu_ms: 20, memory_bytes: 9_000_000, output_bytes: 3 },
  truncated: false,
  seq: 4,
};

test.each([
  [{ reason: 'exited', code: 0, signal: null }, 0],
  [{ reason: 'exited', code: 3, signal: null }, 3],
  [{ reason: 'signaled', code: null, signal: 'SIGSEGV' }, 139],
  [{ reason: 'signaled', code: null, signal: 'SIGINT' }, 130],
  [{ reason: 'wall_limit', code: null, signal: null }, 124],
  [{ reason: 'cpu_limit', code: null, signal: null }, 124],
  [{ reason: 'idle_limit', code: null, signal: null }, 124],
  [{ reason: 'memory_limit', code: null, signal: 'SIGKILL' }, 137],
  [{ reason: 'process_limit', code: null, signal: null }, 137],
  [{ reason: 'output_limit', code: null, signal: null }, 137],
  [{ reason: 'stopped', code: null, signal: null }, 130],
  [{ reason: 'compile_error', code: 1, signal: null }, 1],
] as const)('%j is %d', (exit, code) => {
  expect(exitCodeOf(exit)).toBe(code);
});

test('no end but the program’s own is exit code 0, and each of those is explained', () => {
  for (const reason of END_REASONS) {
    if (reason === 'exited') continue;
    expect(exitCodeOf({ ...END, reason, signal: 'SIGTERM' })).not.toBe(0);
    if (reason !== 'compile_error') expect(explain({ ...END, reason, signal: 'SIGTERM' })).toBeTruthy();
  }
});

test('a limit is explained with what was used', () => {
  expect(explain({ ...END, reason: 'cpu_limit' })).toBe(
    'cpu_limit: The program hit its CPU time limit, all of its processes together. (1.5 s, 20 ms CPU, 9 MB)',
  );
  expect(explain(END)).toBeUndefined();
});
