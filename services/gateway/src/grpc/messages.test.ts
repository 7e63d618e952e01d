// Rules of the translation between routing's types and the wire.
import { expect, test } from 'vitest';
import { fromWire, toWire } from './messages.js';

test('translates every input', () => {
  const attach = { runId: 'run00001', key: 'k', epoch: 2, afterSeq: 4, resume: true };
  expect(toWire({ kind: 'attach', ...attach })).toEqual({ $case: 'attach', value: attach });
  expect(toWire({ kind: 'stdin', text: 'é' })).toEqual({ $case: 'stdin', value: Buffer.from('é') });
  expect(toWire({ kind: 'stdin_close' })).toEqual({ $case: 'stdinClose', value: {} });
  expect(toWire({ kind: 'signal', name: 'SIGINT' })).toEqual({ $case: 'signal', value: { name: 'SIGINT' } });
  expect(toWire({ kind: 'resize', cols: 80, rows: 24 })).toEqual({ $case: 'resize', value: { cols: 80, rows: 24 } });
  expect(toWire({ kind: 'stop', disconnected: true })).toEqual({ $case: 'stop', value: { disconnected: true } });
  expect(toWire({ kind: 'leave' })).toEqual({ $case: 'leave', value: {} });
});

test('gives an exit without usage as one that used nothing', () => {
  const usage = { wall_ms: 0, cpu_ms: 0, memory_bytes: 0, output_bytes: 0 };
  expect(
    fromWire({ seq: 3, event: { $case: 'exit', value: { signal: 'SIGSEGV', reason: 'exited', truncated: false } } }),
  ).toEqual({ kind: 'exit', code: null, signal: 'SIGSEGV', reason: 'exited', usage, truncated: false, seq: 3 });
});

test('turns an end reason or error code that is not in the tables into internal, and cuts a long message', () => {
  const exit = fromWire({ seq: 3, event: { $case: 'exit', value: { reason: 'because', truncated: false } } });
  expect(exit).toMatchObject({ kind: 'error', code: 'internal', seq: 3 });
  const error = fromWire({ seq: 3, event: { $case: 'error', value: { code: 'because', message: 'x'.repeat(400) } } });
  expect(error).toMatchObject({ kind: 'error', code: 'internal', message: 'x'.repeat(300), seq: 3 });
});

test('gives nothing for an assignment alone', () => {
  expect(fromWire({ seq: 0, assigned: { runId: 'run00001', epoch: 1 } })).toBeUndefined();
});
