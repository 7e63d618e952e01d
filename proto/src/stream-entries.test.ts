// Tests of what is taken off a queue: an entry that no sandbox would take is no request.
import { expect, test } from 'vitest';
import { parseClaim, parseRunRequest } from './stream-entries.js';

const REQUEST = {
  run: 'r'.repeat(8),
  key: 'k'.repeat(22),
  gateway: 'g'.repeat(8),
  language: 'python',
  code: 'x',
  files: [] as unknown[],
  args: [] as unknown[],
  limits: {},
  accepted_us: 1,
};
const parse = (more: Record<string, unknown>) => parseRunRequest(JSON.stringify({ ...REQUEST, ...more }));

test('what a gateway writes is a request, also at its largest', () => {
  const args = Array.from({ length: 12 }, () => 'a'.repeat(4000));
  expect(parse({ code: '\u0001'.repeat(40_000), args, stdin: 'in' })).toMatchObject({ args, stdin: 'in' });
});

test.each([
  [{ args: Array.from({ length: 64 }, () => 'a'.repeat(4000)) }],
  [{ args: Array.from({ length: 65 }, () => 'a') }],
  [{ args: ['a\0b'] }],
  [{ files: [{ name: '../x', content: '' }] }],
  [{ files: [{ name: 'x\0y', content: '' }] }],
  [{ files: Array.from({ length: 17 }, (_, i) => ({ name: `f${i}`, content: '' })) }],
  [{ code: 'x'.repeat(700_000) }],
  [{ run: '../../x' }],
  [{ limits: { wall_ms: 0 } }],
])('%.60j makes it none', (more) => {
  expect(parse(more)).toBeUndefined();
});

test('a claim has a whole number for an epoch', () => {
  const fields = (epoch: string) => ['run', 'r', 'epoch', epoch, 'worker', 'w', 'address', 'a:1'];
  expect(parseClaim(fields('2'))).toEqual({ run: 'r', epoch: 2, worker: 'w', address: 'a:1' });
  for (const epoch of ['', '-1', '1.5', 'x', '1e400', '0']) expect(parseClaim(fields(epoch))).toBeUndefined();
});
