// Frames that break the protocol, over a real socket: each gets its documented answer, and other sockets do not notice. Each rule: proto/src/codec.test.ts.
import { Buffer } from 'node:buffer';
import { CLOSE, type CloseName } from '@rungrid/proto/close-codes';
import type { ErrorCode } from '@rungrid/proto/errors';
import { describe, expect, test } from 'vitest';
import { CoTenant } from '../testkit/co-tenant.js';
import { encodeFrame, OP, RawSocket } from '../testkit/raw-socket.js';
import { useStack } from '../testkit/use-stack.js';
import { until } from '@rungrid/testkit/until';

const stack = useStack({ gatewayEnv: { GATEWAY_FIRST_FRAME_MS: '4000' } });

function connect(headers: Readonly<Record<string, string>> = {}): Promise<RawSocket> {
  return RawSocket.open(stack().gateway.url, headers);
}

const frame = (event: string, data: unknown) => JSON.stringify({ event, data });
const runCode = (data: Record<string, unknown>) =>
  frame('run_code', { code: 'print(1)', language: 'python', token: stack().mint(''), ...data });
const nested = (depth: number) => `{"event":"ping","data":${'['.repeat(depth - 1)}${']'.repeat(depth - 1)}}`;

const CLOSING: readonly (readonly [string, CloseName, () => string])[] = [
  ['text that is not JSON', 'badFrame', () => 'hello'],
  ['an empty frame', 'badFrame', () => ''],
  ['a NUL', 'badFrame', () => '\0'],
  ['a number', 'badFrame', () => '1e999'],
  ['an array', 'badFrame', () => '[]'],
  ['null', 'badFrame', () => 'null'],
  ['a string', 'badFrame', () => '"run_code"'],
  ['no event', 'badFrame', () => '{"data":{}}'],
  ['an event that is not a string', 'badFrame', () => '{"event":5}'],
  ['arrays nested 9 deep', 'badFrame', () => nested(9)],
  ['arrays nested 7000 deep', 'badFrame', () => '['.repeat(7000) + ']'.repeat(7000)],
  ['objects nested 4000 deep', 'badFrame', () => `${'{"a":'.repeat(4000)}1${'}'.repeat(4000)}`],
  ['JSON with a tail', 'badFrame', () => '{"event":"ping"} x'],
  ['a frame just over 256 KB', 'tooLarge', () => frame('ping', 'x'.repeat(262_144))],
];

test.each(CLOSING)('%s closes the socket with %s', async (_what, name, text) => {
  const raw = await connect();
  raw.send(text());
  await until(() => raw.closeCode, {
    what: () => `close ${CLOSE[name].code}; ended=${raw.ended} got ${raw.texts.join()}`,
  });
  expect(raw.closeCode).toBe(CLOSE[name].code);
});

test('a binary frame closes the socket with 4400', async () => {
  const raw = await connect();
  raw.send(Buffer.alloc(64), { op: OP.binary });
  await until(() => raw.closeCode, { what: 'a close frame' });
  expect(raw.closeCode).toBe(CLOSE.badFrame.code);
});

test.each([
  ['text that is not UTF-8', () => encodeFrame(Buffer.from([0xc3, 0x28, 0xff]))],
  ['a reserved opcode', () => encodeFrame('x', { op: 5 })],
  ['reserved bits', () => encodeFrame('{}', { rsv: 4 })],
  ['an unmasked frame', () => encodeFrame('{"event":"ping"}', { mask: false })],
  ['a control frame over 125 bytes', () => encodeFrame('p'.repeat(126), { op: OP.ping })],
  ['a fragmented control frame', () => encodeFrame('p', { op: OP.ping, fin: false })],
  ['a continuation of nothing', () => encodeFrame('x', { op: OP.continuation })],
  ['a frame that claims 2^62 bytes', () => encodeFrame('x', { declare: 2 ** 52 })],
  ['a frame that claims 64 MB', () => encodeFrame('x', { declare: 64 << 20 })],
] as const)('%s ends the socket', async (_what, bytes) => {
  const raw = await connect();
  raw.write(bytes());
  await until(() => raw.over, { what: () => `the end of the socket; got ${raw.texts.join()}` });
});

const ANSWERED: readonly (readonly [string, ErrorCode, () => string])[] = [
  ['an unknown event', 'unknown_event', () => frame('drop_tables', {})],
  ['the event __proto__', 'unknown_event', () => '{"event":"__proto__"}'],
  ['the event constructor', 'unknown_event', () => frame('constructor', {})],
  ['the event toString', 'unknown_event', () => '{"event":"toString"}'],
  ['the later of two events of one frame', 'invalid_frame', () => '{"event":"stdin","event":"run_code"}'],
  ['run_code without data', 'invalid_frame', () => '{"event":"run_code"}'],
  [
    'run_code with __proto__ in its data',
    'invalid_frame',
    () => '{"event":"run_code","data":{"__proto__":{"language":"python","code":"1","token":"x"}}}',
  ],
  ['code that is a number', 'invalid_frame', () => runCode({ code: 5 })],
  ['a language that is an object', 'invalid_frame', () => runCode({ language: { $ne: 1 } })],
  ['a language that is a path', 'unknown_language', () => runCode({ language: '../../etc' })],
  ['a language with a Redis command in it', 'unknown_language', () => runCode({ language: 'py\r\nXADD x * a b\n' })],
  ['an unknown language', 'unknown_language', () => runCode({ language: 'cobol' })],
  ['an unknown version', 'unknown_version', () => runCode({ version: '1.4' })],
  ['a run name that is a path', 'invalid_frame', () => runCode({ run: '../x' })],
  ['a run name of 65 characters', 'invalid_frame', () => runCode({ run: 'x'.repeat(65) })],
  [
    'a file name that is a path',
    'invalid_frame',
    () => runCode({ files: [{ name: '../../etc/passwd', content: '' }] }),
  ],
  ['a hidden file', 'invalid_frame', () => runCode({ files: [{ name: '.bashrc', content: '' }] })],
  [
    'two files of one name',
    'invalid_frame',
    () =>
      runCode({
        files: [
          { name: 'a', content: '' },
          { name: 'a', content: '' },
        ],
      }),
  ],
  [
    'seventeen files',
    'invalid_frame',
    () => runCode({ files: Array.from({ length: 17 }, (_, i) => ({ name: `f${i}`, content: '' })) }),
  ],
  ['an argument with a NUL', 'invalid_frame', () => runCode({ args: ['a\0b'] })],
  ['sixty-five arguments', 'invalid_frame', () => runCode({ args: Array.from({ length: 65 }, () => 'a') })],
  ['a limit of 0', 'invalid_frame', () => runCode({ limits: { wall_ms: 0 } })],
  ['a limit that is text', 'invalid_frame', () => runCode({ limits: { wall_ms: '5' } })],
  ['code over 128 KB', 'code_too_large', () => runCode({ code: '#'.repeat(131_073) })],
  ['a token that is none', 'token_invalid', () => runCode({ token: 'timestamp_signature_string' })],
  ['stdin without text', 'invalid_frame', () => frame('stdin', {})],
  ['stdin that is not text', 'invalid_frame', () => frame('stdin', { text: ['x'] })],
  ['stdin without a run', 'no_such_run', () => frame('stdin', { text: 'x\n' })],
  ['stdin_close without a run', 'no_such_run', () => frame('stdin_close', {})],
  ['stop without a run', 'no_such_run', () => frame('stop', {})],
  ['a signal that is not on the list', 'invalid_frame', () => frame('signal', { name: 'SIGSTOP' })],
  ['a signal without a run', 'no_such_run', () => frame('signal', { name: 'SIGINT' })],
  ['a window of no columns', 'invalid_frame', () => frame('resize', { cols: 0, rows: 1 })],
];

test.each(ANSWERED)('%s is answered with %s, and the socket lives on', async (_what, code, text) => {
  const raw = await connect();
  raw.send(text());
  await until(() => raw.over || raw.events.some((event) => event.event === 'error'), { what: 'an answer' });
  const errors = raw.events.filter((event) => event.event === 'error');
  expect(errors.map((error) => error.data.code)).toEqual([code]);
  raw.send(frame('ping', { still: 'here' }));
  await until(() => raw.events.some((event) => event.event === 'pong'), { what: 'a pong' });
});

test('a pong carries the data of its ping', async () => {
  const client = await stack().connect();
  const data = { n: 1, list: [true, null, 'ü\0'] };
  client.send('ping', data);
  expect(await client.event('pong')).toEqual(data);
});

test('unknown fields are ignored', async () => {
  const client = await stack().connect();
  const run = client.run('print(1)', 'python', { ...({ color: 'red' } as object) });
  expect(await run.exit()).toMatchObject({ code: 0 });
});

test('1000 frames a second close that socket with 4429, and no other', async () => {
  const coTenant = await CoTenant.start(stack());
  const raw = await connect();
  const block = Buffer.concat(Array.from({ length: 1000 }, () => encodeFrame('{"event":"ping"}')));
  raw.write(block);
  raw.write(block);
  await until(() => raw.over, { what: 'a close' });
  expect(raw.closeCode).toBe(CLOSE.rate.code);
  await coTenant.alive();
  await coTenant.close();
});

test('a socket that never sends a frame is closed with 4408', async () => {
  const raw = await connect();
  await until(() => raw.closeCode, { what: 'a close' });
  expect(raw.closeCode).toBe(CLOSE.firstFrame.code);
});

test('a socket that does nothing for long, and runs nothing, is closed with 4409', async () => {
  const gateway = await stack().addGateway({ GATEWAY_IDLE_MS: '1500' });
  const idle = await stack().connect({ gateway });
  idle.send('ping', 1);
  const busy = await stack().connect({ gateway });
  const run = busy.run('print(input())', 'python');
  await run.started();
  expect((await idle.closed).code).toBe(CLOSE.idle.code);
  run.stdin('here\n');
  expect(await run.exit()).toMatchObject({ code: 0 });
});

test('too many refused tokens close the socket with 4401', async () => {
  const raw = await connect();
  for (let i = 0; i < 100 && !raw.over; i++) {
    raw.send(runCode({ token: 'nonsense' }));
    await until(() => raw.over || raw.events.filter((event) => event.event === 'error').length > i, {
      what: 'an answer',
    });
  }
  await until(() => raw.over, { what: 'a close' });
  expect(raw.closeCode).toBe(CLOSE.unauthorized.code);
});

describe('the upgrade', () => {
  test('a page whose origin is not allowed is closed with 4403', async () => {
    const raw = await connect({ Origin: 'https://evil.test' });
    await until(() => raw.over, { what: 'a close' });
    expect(raw.closeCode).toBe(CLOSE.origin.code);
    expect(raw.events.some((event) => event.event === 'hello')).toBe(false);
  });

  test('the subprotocol rungrid.v1 is accepted, and others are not echoed', async () => {
    const good = await stack().connect({ protocols: ['rungrid.v1'] });
    expect(good.socket.protocol).toBe('rungrid.v1');
    const other = await connect({ 'Sec-WebSocket-Protocol': 'graphql-ws' });
    expect(other.head).not.toMatch(/graphql-ws/i);
  });

  test('compression is not negotiated', async () => {
    const raw = await connect({ 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' });
    expect(raw.head).not.toMatch(/permessage-deflate/i);
  });
});
