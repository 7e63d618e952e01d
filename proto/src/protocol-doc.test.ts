// PROTOCOL.md and the tables of this package say the same, in both directions; its token example works.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { CLOSE } from './close-codes.js';
import { parseClientFrame } from './codec.js';
import { ERRORS } from './errors.js';
import { ResizeSchema, ResumeSchema, RunCodeSchema, SignalSchema, StdinSchema } from './frames.js';
import * as limits from './limits.js';
import { checkToken, TOKEN_FUTURE_SKEW_MS, TOKEN_WINDOW_MS } from './token.js';

const document = readFileSync(new URL('../../PROTOCOL.md', import.meta.url), 'utf8');

/** Cells of the first table below a heading, the header row left out; code marks are taken off. */
function table(heading: string): string[][] {
  const start = document.indexOf(`\n${heading}\n`);
  expect(start, heading).toBeGreaterThan(0);
  const lines = document.slice(start).split('\n').slice(2);
  const first = lines.findIndex((line) => line.startsWith('|'));
  const end = lines.findIndex((line, index) => index > first && !line.startsWith('|'));
  return lines.slice(first + 2, end).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}
const bare = (cell = '') => cell.replaceAll('`', '');
const yes = (value: boolean) => (value ? 'yes' : 'no');

test('errors', () => {
  const expected = Object.entries(ERRORS).map(([code, info]) => [
    code,
    yes(info.retryable),
    String(info.http),
    info.meaning,
  ]);
  expect(table('## Errors').map(([code, ...rest]) => [bare(code), ...rest])).toEqual(expected);
});

test('close codes', () => {
  const expected = Object.values(CLOSE).map((info) => [
    String(info.code),
    info.reason,
    yes(info.reconnect),
    info.meaning,
  ]);
  expect(table('## Close codes')).toEqual(expected);
});

test('end reasons', () => {
  expect(table('### End reasons').map(([reason, text]) => [bare(reason), text])).toEqual(
    Object.entries(limits.END_REASON_TEXT),
  );
  expect(Object.keys(limits.END_REASON_TEXT)).toEqual([...limits.END_REASONS]);
});

test('signals', () => {
  expect(table('### Signals').map(([name]) => bare(name))).toEqual(Object.keys(limits.SIGNALS));
});

test('limits', () => {
  const numbers = Object.entries(limits).filter(
    ([name, value]) => typeof value === 'number' && name !== 'PROTOCOL_VERSION',
  );
  const expected = [...numbers, ['TOKEN_WINDOW_MS', TOKEN_WINDOW_MS], ['TOKEN_FUTURE_SKEW_MS', TOKEN_FUTURE_SKEW_MS]];
  const documented = table('## Limits').map(([name, value]) => [bare(name), Number(value)]);
  expect(Object.fromEntries(documented)).toEqual(Object.fromEntries(expected));
});

test('client events: their names, and every field of their data', () => {
  const rows = new Map(table('## Client events').map(([event, text]) => [bare(event), text ?? '']));
  const fields: Record<string, string[]> = {
    run_code: Object.keys(RunCodeSchema.properties),
    stdin: Object.keys(StdinSchema.properties),
    stdin_close: ['run'],
    resize: Object.keys(ResizeSchema.properties),
    signal: Object.keys(SignalSchema.properties),
    stop: ['run'],
    resume: Object.keys(ResumeSchema.properties),
    ping: [],
  };
  expect([...rows.keys()]).toEqual(Object.keys(fields));
  for (const [event, names] of Object.entries(fields)) {
    for (const name of names) expect(rows.get(event), `${event}.${name}`).toContain(`\`${name}\``);
    const result = parseClientFrame(JSON.stringify({ event, data: {} }));
    expect('error' in result && result.error, event).not.toBe('unknown_event');
  }
});

test('server events: the same names as the source', () => {
  const source = readFileSync(new URL('frames.ts', import.meta.url), 'utf8');
  const [, body = ''] = /export interface ServerEvents \{\n([\s\S]*?)\n\}/.exec(source) ?? [];
  const names = [...body.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name);
  expect(names.length).toBeGreaterThan(5);
  expect(table('## Server events').map(([event]) => bare(event))).toEqual(names);
});

test('the three literal frames are in it, and the client’s two pass the parser', () => {
  const frames = [...document.matchAll(/```json\n(.*)\n```/g)].map(([, text]) => text ?? '');
  expect(frames).toEqual([
    String.raw`{"event":"run_code","data":{"code":"name = input('Name: ')\nprint('Hello ' + name)","language":"python","token":"timestamp_signature_string"}}`,
    '{"event":"stdout","data":{"text":"Name: "}}',
    String.raw`{"event":"stdin","data":{"text":"Rajesh\n"}}`,
  ]);
  expect(parseClientFrame(frames[0] ?? '')).toHaveProperty('frame.event', 'run_code');
  expect(parseClientFrame(frames[2] ?? '')).toHaveProperty('frame.data.text', 'Rajesh\n');
});

test('the token example makes a token that passes', () => {
  const [, code = ''] = /```js\n([\s\S]*?)```/.exec(document) ?? [];
  const folder = mkdtempSync(join(tmpdir(), 'rungrid-doc-'));
  try {
    writeFileSync(join(folder, 'token.mjs'), code);
    const token = execFileSync(process.execPath, [join(folder, 'token.mjs')], { encoding: 'utf8' }).trim();
    const keys = new Map([['main', 'a secret of 16 or more characters']]);
    const result = checkToken(token, { keys, origin: 'https://example.org', nowMs: Date.now() });
    expect(result).toMatchObject({ ok: true, claims: { languages: ['python'] } });
  } finally {
    rmSync(folder, { recursive: true });
  }
});
