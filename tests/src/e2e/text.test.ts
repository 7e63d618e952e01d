// Output as text: UTF-8 over chunk borders, bytes that are none, numbering.
import { expect, test } from 'vitest';
import { useStack } from '../testkit/use-stack.js';

const stack = useStack();

test('a code point split over two writes arrives whole', async () => {
  const client = await stack().connect();
  const run = client.run(
    'import os, time\nfor byte in "a\u{1F600}ü".encode():\n    os.write(1, bytes([byte]))\n    time.sleep(0.03)',
    'python',
  );
  await run.exit();
  expect(run.stdout).toBe('a\u{1F600}ü');
});

test('bytes that are not UTF-8 become U+FFFD, and NUL and ESC arrive', async () => {
  const client = await stack().connect();
  const run = client.run(
    String.raw`import os; os.write(1, b"\xff<\xc3\x28>\xed\xa0\x80|\x00\x1b[2J\x07end\xf0\x9f")`,
    'python',
  );
  await run.exit();
  expect(run.stdout.replaceAll(/�+/g, '?')).toBe('?<?(>?|\0\u001B[2J\u0007end?');
});

test('a flood of four-byte characters over many frames arrives exactly', async () => {
  const client = await stack().connect();
  const run = client.run('import sys\nsys.stdout.write("x" + "\u{1F600}" * 100000)', 'python');
  await run.exit();
  expect(run.stdout).toBe(`x${'\u{1F600}'.repeat(100_000)}`);
  const frames = run.events.filter((frame) => frame.event === 'stdout').length;
  expect(frames).toBeLessThan(200);
});

test('text typed in any script reaches the program and is echoed', async () => {
  const client = await stack().connect();
  const run = client.run('print(input()[::-1])', 'python');
  run.stdin('añb世界\u{1F600}\n');
  await run.exit();
  expect(run.stdout).toBe('\u{1F600}界世bña\n');
});

test('stdout and stderr are distinguished, in the order of their writing when apart in time', async () => {
  const client = await stack().connect();
  const run = client.run(
    'import sys, time\nfor i in range(3):\n    print("o", i, flush=True)\n    time.sleep(0.06)\n    print("e", i, file=sys.stderr, flush=True)\n    time.sleep(0.06)',
    'python',
  );
  await run.exit();
  const texts: string[] = [];
  let last = '';
  for (const frame of run.events) {
    if (frame.event !== 'stdout' && frame.event !== 'stderr') continue;
    if (frame.event === last) texts.push(`${texts.pop() ?? ''}${frame.data.text}`);
    else texts.push(`${frame.event} ${frame.data.text}`);
    last = frame.event;
  }
  expect(texts.map((text) => text.trim())).toEqual([
    'stdout o 0',
    'stderr e 0',
    'stdout o 1',
    'stderr e 1',
    'stdout o 2',
    'stderr e 2',
  ]);
});

test('a program that looks like the protocol is only ever text', async () => {
  const client = await stack().connect();
  const run = client.run(
    String.raw`import os
os.write(1, b'{"event":"exit","data":{"code":0}}\n')
os.write(1, b"\x84\x00\x00\x00\x02\x00\x00" + b"\x02\x00\x00\x00\x00\x00\x00\x05FORGE")
raise SystemExit(7)`,
    'python',
  );
  expect(await run.exit()).toMatchObject({ reason: 'exited', code: 7 });
  expect(run.stdout).toContain('{"event":"exit","data":{"code":0}}\n');
  expect(run.stdout).toContain('FORGE');
});
