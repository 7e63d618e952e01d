// Sandboxes with a terminal (agent/PROTOCOL.md, --tty): what a program and its user expect of one; see termios(3), pty(7).
import { aroundEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { encodeSize, FromAgent, type TerminalSize, ToAgent } from './agent-frames.js';
import type { Language } from './languages.js';
import { seenInTerminal } from './samples.js';
import { Box, ensureLanguage } from './testkit.js';

// Its container is most of a test's time.
const it = test.concurrent;
vi.setConfig({ testTimeout: 120_000 });

const exited = (code: number) => ({ kind: 'exited', code });
const RUN = ['python3', '/tmp/main.py'];
let python: Language;

beforeAll(async () => {
  python = await ensureLanguage('python');
}, 600_000);

aroundEach(Box.scope);

async function atTerminal(program: string, terminal?: TerminalSize): Promise<Box> {
  const box = await Box.open(python, { kind: { class: 'run', mode: 'tty' }, command: ['--tty'] });
  box.start({ files: [{ name: 'main.py', content: program }], run: RUN, terminal });
  return box;
}

const shows = (box: Box, text: string): Promise<void> => box.until(() => box.ended || box.stdout.includes(text));

describe('a program', () => {
  it('finds terminals at 0, 1 and 2, its own session and its controlling terminal', async () => {
    const box = await atTerminal(
      'import os\nprint([os.isatty(i) for i in range(3)], os.getsid(0) == os.getpid() == os.tcgetpgrp(0), os.environ["TERM"])\n' +
        'print(os.ttyname(0).startswith("/dev/pts/"), os.open("/dev/tty", os.O_RDWR) >= 3, sorted(os.listdir("/proc/self/fd"))[:3])',
    );
    expect((await box.exit()).end).toEqual(exited(0));
    expect(box.stdout).toBe("[True, True, True] True xterm-256color\r\nTrue True ['0', '1', '2']\r\n");
    expect(box.has(FromAgent.STDERR)).toBe(false);
  });

  it('finds the size that START gave, and gets SIGWINCH for a new one', async () => {
    const program =
      'import os, signal\nprint(os.get_terminal_size())\nsignal.signal(signal.SIGWINCH, lambda *_: None)\nprint("up")\nsignal.pause()\nprint(os.get_terminal_size())';
    const box = await atTerminal(program, { cols: 100, rows: 40 });
    await shows(box, 'up');
    box.send(ToAgent.RESIZE, encodeSize({ cols: 132, rows: 50 }));
    await box.exit();
    expect(box.stdout).toContain('columns=100, lines=40');
    expect(box.stdout).toContain('columns=132, lines=50');
  });

  it('has 80 columns and 24 rows by default', async () => {
    const box = await atTerminal('import os\nprint(os.get_terminal_size())');
    await box.exit();
    expect(box.stdout).toContain('columns=80, lines=24');
  });

  it('writes every byte of a large output before EXIT', async () => {
    const box = await atTerminal('import sys\nsys.stdout.write("y" * 700000)\nprint("last")');
    await box.exit();
    expect(box.stdout.length).toBe(700_000 + 'last\r\n'.length);
    expect(box.stdout.endsWith('last\r\n')).toBe(true);
  });

  it('may close its descriptors and open its terminal again', async () => {
    const box = await atTerminal(
      'import os, time\nos.write(1, b"one\\n")\nfor i in range(3): os.close(i)\ntime.sleep(0.3)\nt = os.open("/dev/tty", os.O_WRONLY)\nos.write(t, b"two\\n")',
    );
    expect((await box.exit()).end).toEqual(exited(0));
    expect(box.stdout).toBe('one\r\ntwo\r\n');
  });
});

describe('a user', () => {
  it('sees the typed text, and edits a line before the program reads it', async () => {
    const box = await atTerminal('print("got", repr(input("> ")))');
    await shows(box, '> ');
    box.type('helxx\x7f\x7flo\r');
    await box.exit();
    expect(box.stdout).toContain("got 'hello'");
    expect(box.stdout).toContain('helxx\b \b\b \blo\r\n');
  });

  it('erases a whole character of UTF-8', async () => {
    const box = await atTerminal('import sys\nprint("got", repr(sys.stdin.readline()))');
    await box.until(() => box.has(FromAgent.STARTED));
    box.type('aé\x7fb\r');
    await box.exit();
    expect(box.stdout).toContain("got 'ab\\n'");
  });

  it('interrupts the foreground group with Ctrl-C, and a SIGNAL reaches it too', async () => {
    const program =
      'import subprocess, sys\nfor i in range(2):\n  try:\n    print("up", i)\n    subprocess.run(["sleep", "1000"])\n  except KeyboardInterrupt:\n    print("interrupted", i)\nsys.exit(4)';
    const box = await atTerminal(program);
    await box.process('sleep 1000');
    box.type('\x03');
    await shows(box, 'up 1');
    await box.process('sleep 1000');
    box.send(ToAgent.SIGNAL, Uint8Array.of(2));
    expect((await box.exit()).end).toEqual(exited(4));
    expect(box.stdout).toContain('^C');
    expect(box.stdout).toContain('interrupted 1');
  });

  it('stops a job with Ctrl-Z only in the foreground group of a shell', async () => {
    const box = await Box.open(python, { kind: { class: 'run', mode: 'tty' }, command: ['--tty'] });
    box.start({ files: [], run: ['bash', '--norc', '-i'] });
    await shows(box, '$ ');
    box.type('(echo up; sleep 1000)\r');
    await box.until(() => seenInTerminal(box.stdout).includes('\nup\n')); // printed by the job: it has the terminal
    box.type('\x1a');
    await shows(box, 'Stopped');
    box.type('exit 3\rexit 3\r'); // the first one is refused: there are stopped jobs
    expect((await box.exit()).end).toEqual(exited(3));
  });

  it.each([
    ['an empty line', 'one\n', 'one\n'],
    ['an open line', 'one\ntwo', 'one\ntwo'],
  ])('ends the input after %s', async (_what, typed, read) => {
    const box = await atTerminal('import sys\nprint(repr(sys.stdin.read()))');
    box.type(typed);
    box.send(ToAgent.STDIN_CLOSE);
    await box.exit();
    expect(seenInTerminal(box.stdout)).toContain(JSON.stringify(read).replaceAll('"', "'"));
  });

  it('uses arrow keys and history where the program edits its own lines', async () => {
    const box = await Box.open(python, { kind: { class: 'run', mode: 'tty' }, command: ['--tty'] });
    box.start({ files: [], run: ['bash', '--norc', '-i'] });
    await shows(box, '$ ');
    box.type('echo first\r');
    await box.until(() => seenInTerminal(box.stdout).includes('\nfirst\n'));
    box.type('\x1b[A\x1b[D\x1b[D\x1b[D\x1b[D\x1b[D\x01\x06\x06\x06\x06 very\x05 line\r');
    await box.until(() => seenInTerminal(box.stdout).includes('\nvery first line\n'));
    box.type('exit\r');
    expect((await box.exit()).end).toEqual(exited(0));
  });
});

describe('bounds', () => {
  it('a sandbox that makes more than eight pseudo terminals ends', async () => {
    const box = await atTerminal(
      'import os, time\nkept = []\nwhile len(kept) < 3000: kept.append(os.openpty())\nprint("free for all")\ntime.sleep(1000)',
    );
    expect((await box.exit()).end).toEqual({ kind: 'overrun' });
    expect(box.stdout).not.toContain('free for all');
  });

  it('a program may have a few terminals of its own, and many in sequence', async () => {
    const box = await atTerminal(
      'import os\nkept = [os.openpty() for _ in range(5)]\nfor _ in range(50):\n  for fd in os.openpty(): os.close(fd)\nprint("fine")',
    );
    expect((await box.exit()).end).toEqual(exited(0));
    expect(box.stdout).toBe('fine\r\n');
  });

  it('a program that reads nothing gets 64 KiB of typed input at most; the rest is not requested', async () => {
    const box = await atTerminal('import time\nprint("up")\ntime.sleep(1000)');
    await shows(box, 'up');
    for (let i = 0; i < 4; i++) box.type(`${'x'.repeat(16_000)}\n`);
    box.send(ToAgent.KILL);
    expect((await box.exit()).end).toEqual({ kind: 'signaled', signo: 9 });
  });

  it('a warm process waits on the terminal and leaves no trace', async () => {
    const box = await Box.open(python, { kind: { class: 'run', mode: 'tty' } });
    box.start({
      files: [
        { name: 'main.py', content: 'import sys, os\nprint(sys.argv, sys.stdin.isatty(), os.get_terminal_size())' },
      ],
      terminal: { cols: 91, rows: 17 },
    });
    expect((await box.exit()).end).toEqual(exited(0));
    expect(box.stdout).toBe("['/tmp/main.py'] True os.terminal_size(columns=91, lines=17)\r\n");
  });
});
