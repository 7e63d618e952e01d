// Logs: one JSON object a line whatever is in it, and of an error only what is known to be harmless.
import { describe, expect, it } from 'vitest';
import { createLogger } from './logger.js';

const SECRET = 'secret-of-a-stranger';

function logged(fields: object): { lines: string[]; entry: Record<string, unknown> } {
  const lines: string[] = [];
  const logger = createLogger({ service: 'test', level: 'trace', destination: { write: (line) => lines.push(line) } });
  logger.error(fields, 'it happened');
  return { lines, entry: JSON.parse(lines[0] ?? '') as Record<string, unknown> };
}

describe('a log line', () => {
  it('escapes what strangers send, and stays one line', () => {
    const { lines, entry } = logged({ run: `a\n{"level":60,"msg":"forged"}\r\u001b[31m\u2028"` });
    expect(lines).toHaveLength(1);
    for (const raw of ['\n', '\r', '\u001b']) expect(lines[0]?.trimEnd()).not.toContain(raw);
    expect(entry['msg']).toBe('it happened');
  });

  it('holds none of the names under which secrets travel', () => {
    const { lines } = logged({ token: SECRET, code: SECRET, request: { code: SECRET, stdin: SECRET, key: SECRET } });
    expect(lines[0]).not.toContain(SECRET);
  });

  it('logs name, message, code, stack and causes of an error, and no other property', () => {
    const reply = Object.assign(new Error('ERR no'), { command: { name: 'submitRun', args: [SECRET] }, code: 'EX' });
    const { lines, entry } = logged({ err: new TypeError('submit failed', { cause: reply }) });
    expect(lines[0]).not.toContain(SECRET);
    expect(entry['err']).toMatchObject({
      type: 'TypeError',
      message: 'submit failed',
      stack: expect.stringContaining('logger.test') as string,
      cause: { type: 'Error', message: 'ERR no', code: 'EX' },
    });
  });

  it('shows the code of an error', () => {
    const { entry } = logged({ err: Object.assign(new Error('connect failed'), { code: 'ECONNREFUSED' }) });
    expect(entry['err']).toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('is bounded: long messages are cut, endless causes too', () => {
    const error = new Error('x'.repeat(100_000));
    error.cause = error;
    const { lines } = logged({ err: error });
    expect(lines[0]?.length).toBeLessThan(30_000);
    expect(logged({ err: 'not an error' }).entry['err']).toBe('not an error');
  });
});
