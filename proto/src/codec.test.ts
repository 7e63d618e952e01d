// Tests of the frame parser: a frame passes whole or not at all.
import { describe, expect, test } from 'vitest';
import { parseClientFrame } from './codec.js';
import { MAX_CODE_BYTES, MAX_FRAME_BYTES, MAX_STDIN_FRAME_BYTES } from './limits.js';

const run = (data: Record<string, unknown>) =>
  parseClientFrame(JSON.stringify({ event: 'run_code', data: { code: '1', language: 'python', token: 't', ...data } }));

describe('a frame that ends the socket', () => {
  test.each([
    ['', 'badFrame'],
    ['{', 'badFrame'],
    ['5', 'badFrame'],
    ['null', 'badFrame'],
    ['[{"event":"ping"}]', 'badFrame'],
    ['{"event":null}', 'badFrame'],
    [`{"event":"ping","data":${'['.repeat(8)}${']'.repeat(8)}}`, 'badFrame'],
    ['x'.repeat(MAX_FRAME_BYTES + 1), 'tooLarge'],
  ])('%.40s', (text, close) => {
    expect(parseClientFrame(text)).toEqual({ close });
  });
});

test('brackets in strings are no depth, escaped quotes do not end a string', () => {
  const text = JSON.stringify({ event: 'ping', data: `\\"${'[{'.repeat(100)}` });
  expect(parseClientFrame(text)).toHaveProperty('frame.event', 'ping');
  expect(parseClientFrame(`{"event":"ping","data":${'['.repeat(7)}${']'.repeat(7)}}`)).toHaveProperty('frame');
});

test.each(['__proto__', 'constructor', 'toString', 'RUN_CODE', ''])('%j is no event', (event) => {
  expect(parseClientFrame(JSON.stringify({ event }))).toMatchObject({ error: 'unknown_event' });
});

test('unknown fields are ignored, missing data is empty data', () => {
  expect(run({ future: [1] })).toHaveProperty('frame');
  expect(parseClientFrame('{"event":"stop","x":1}')).toEqual({ frame: { event: 'stop', data: {} } });
  expect(parseClientFrame('{"event":"ping"}')).toEqual({ frame: { event: 'ping', data: null } });
});

test.each([
  [{ code: 5 }],
  [{ language: '' }],
  [{ run: 'a b' }],
  [{ run: 'x'.repeat(65) }],
  [{ files: [{ name: '.hidden', content: '' }] }],
  [{ files: [{ name: 'a/b', content: '' }] }],
  [{ files: Array.from({ length: 17 }, (_, i) => ({ name: `f${i}`, content: '' })) }],
  [{ files: [1, 2].map(() => ({ name: 'same', content: '' })) }],
  [{ args: ['a\u0000b'] }],
  [{ args: ['\u00e9'.repeat(2049)] }],
  [{ args: Array.from({ length: 13 }, () => 'a'.repeat(4000)) }],
  [{ limits: { wall_ms: 0 } }],
  [{ limits: { wall_ms: 1.5 } }],
  [{ on_disconnect: 'maybe' }],
])('run_code with %j is an invalid frame', (data) => {
  expect(run(data)).toMatchObject({ error: 'invalid_frame' });
});

test('a refusal names the run when its name is usable', () => {
  expect(run({ run: 'mine', code: 5 })).toMatchObject({ run: 'mine' });
  expect(run({ run: '<b>', code: 5 })).not.toHaveProperty('run');
});

test('code, files and stdin count together, in UTF-8 bytes', () => {
  const half = 'é'.repeat(MAX_CODE_BYTES / 4);
  expect(run({ code: half, stdin: half })).toHaveProperty('frame');
  expect(run({ code: half, files: [{ name: 'f', content: `${half}x` }] })).toMatchObject({ error: 'code_too_large' });
});

test('a stdin frame has its own bound', () => {
  const stdin = (text: string) => parseClientFrame(JSON.stringify({ event: 'stdin', data: { text } }));
  expect(stdin('x'.repeat(MAX_STDIN_FRAME_BYTES))).toHaveProperty('frame');
  expect(stdin('é'.repeat(MAX_STDIN_FRAME_BYTES / 2 + 1))).toMatchObject({ error: 'stdin_full' });
});
