// Programs on a terminal, over a real socket: what a visitor at one expects.
import { describe, expect, test } from 'vitest';
import type { RunHandle } from '../testkit/run-handle.js';
import { useStack } from '../testkit/use-stack.js';

// A burst waits longer for its sandboxes than one visitor would.
const stack = useStack({ languages: ['python', 'bash'], gatewayEnv: { GATEWAY_QUEUE_TTL_MS: '150000' } });
const tty = { cols: 80, rows: 24 };

test('a prompt, an echo, an answer', async () => {
  const client = await stack().connect();
  const run = client.run('name = input("Name: ")\nprint("Hello " + name)', 'python', { tty });
  await run.output('Name: ');
  run.stdin('Rajesh\r');
  expect(await run.exit()).toMatchObject({ reason: 'exited', code: 0 });
  expect(run.stdout).toBe('Name: Rajesh\r\nHello Rajesh\r\n');
});

test('line editing and history of a program that reads with readline', async () => {
  const client = await stack().connect();
  const code = 'import readline\nfor _ in range(2):\n    print("got", repr(input(">>> ")))';
  const run = client.run(code, 'python', { tty });
  await run.output('>>> ');
  // Left twice, an insertion in the middle, Enter.
  run.stdin('1+3\x1b[D\x1b[D2\r');
  await run.output("got '12+3'");
  run.stdin('\x1b[A\x7f4\r'); // up, erase, another digit
  await run.exit();
  expect(run.stdout).toContain("got '12+4'");
});

test('a curses program draws in the size of the page, and again when that changes', async () => {
  const code = [
    'import curses, signal',
    'def main(screen):',
    '    while True:',
    '        rows, cols = screen.getmaxyx()',
    '        screen.clear()',
    '        screen.addstr(rows // 2, 2, f"size {cols}x{rows}", curses.A_BOLD)',
    '        screen.refresh()',
    '        key = screen.getch()',
    '        if key == curses.KEY_UP:',
    '            screen.addstr(0, 0, "arrow up")',
    '            screen.refresh()',
    '        if key == ord("q"):',
    '            return',
    'curses.wrapper(main)',
    'print("left")',
  ].join('\n');
  const client = await stack().connect();
  const run = client.run(code, 'python', { tty: { cols: 100, rows: 30 } });
  await run.output('size 100x30');
  run.send('resize', { cols: 132, rows: 43 });
  await run.output('size 132x43');
  run.stdin('\x1bOA');
  run.stdin('q');
  expect(await run.exit()).toMatchObject({ code: 0 });
  expect(run.stdout).toContain('left');
});

test('Ctrl-C interrupts the program in the foreground, and the shell goes on', async () => {
  const client = await stack().connect();
  const run = client.run('bash --norc -i', 'bash', { tty });
  await run.output('$ ');
  run.stdin('(echo up; sleep 1000)\r');
  await run.output(/\nup|\rup/);
  run.stdin('\x03');
  await run.output('^C');
  run.stdin('echo "still here: $?"; exit 6\r');
  expect(await run.exit()).toMatchObject({ reason: 'exited', code: 6 });
  expect(run.stdout).toContain('still here: 130');
});

test('isatty is true on a terminal and false on pipes; colors come as they are', async () => {
  const code = 'import sys\nprint([s.isatty() for s in (sys.stdin, sys.stdout, sys.stderr)], "\\x1b[31mred\\x1b[0m")';
  const client = await stack().connect();
  const [on, off] = [client.run(code, 'python', { tty }), client.run(code, 'python')];
  await Promise.all([on.exit(), off.exit()]);
  expect(on.stdout).toBe('[True, True, True] \x1b[31mred\x1b[0m\r\n');
  expect(off.stdout).toBe('[False, False, False] \x1b[31mred\x1b[0m\n');
});

describe('the end of the input', () => {
  test.each([
    ['stdin_close', (run: RunHandle) => run.eof()],
    ['Ctrl-D', (run: RunHandle) => run.stdin('\x04')],
  ])('by %s', async (_how, end) => {
    const client = await stack().connect();
    const run = client.run('import sys\nprint("up")\nprint("read", repr(sys.stdin.read()))', 'python', { tty });
    await run.output('up');
    run.stdin('a line\r');
    end(run);
    expect(await run.exit()).toMatchObject({ code: 0 });
    expect(run.stdout).toContain("read 'a line\\n'");
  });

  test('given at the start: it is typed, then ends', async () => {
    const client = await stack().connect();
    const run = client.run('print("got", input(), input())', 'python', { tty, stdin: 'one\ntwo\n' });
    expect(await run.exit()).toMatchObject({ code: 0 });
    expect(run.stdout).toContain('got one two');
  });
});

test('a size that comes before the program starts is the one it sees', async () => {
  const client = await stack().connect();
  const code = 'import os, time\ntime.sleep(0.3)\nprint(os.get_terminal_size())';
  const run = client.run(code, 'python', { tty });
  run.send('resize', { cols: 57, rows: 19 });
  await run.exit();
  expect(run.stdout).toContain('columns=57, lines=19');
});

test('a sandbox that takes more terminals than it may ends with process_limit, and its co-tenant has one', async () => {
  const client = await stack().connect();
  const code = 'import os, time\nkept = []\nwhile True:\n    kept.append(os.openpty())\n    time.sleep(0.01)';
  const greedy = client.run(code, 'python', { tty });
  expect(await greedy.exit()).toMatchObject({ reason: 'process_limit' });
  const coTenant = client.run('print("fine")', 'python', { tty });
  await coTenant.exit();
  expect(coTenant.stdout).toBe('fine\r\n');
});

test('a burst of terminal runs is served in turn, and none waits at the worker in the meantime', async () => {
  const clients = await Promise.all(Array.from({ length: 6 }, () => stack().connect()));
  const runs = clients.flatMap((client) =>
    Array.from({ length: 8 }, (_, index) => client.run(`echo ${index}`, 'bash', { tty })),
  );
  for (const [index, run] of runs.entries()) {
    expect(await run.exit(150_000), run.describe()).toMatchObject({ reason: 'exited', code: 0 });
    expect(run.stdout).toBe(`${index % 8}\r\n`);
  }
}, 180_000);
