// The agent's promises (agent/PROTOCOL.md), each checked in a real, hardened container.
import { aroundEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { AGENT_HEADER_BYTES, encodeFile, encodeFrame, FromAgent, STDIN_WINDOW_BYTES, ToAgent } from './agent-frames.js';
import { decodeStdinAck } from './agent-status.js';
import type { Language } from './languages.js';
import { Box, ensureLanguage } from './testkit.js';

const RUN = ['python3', '/tmp/main.py'];
const SIGKILL = 9;
const exited = (code: number) => ({ kind: 'exited', code });
const signaled = (signo: number) => ({ kind: 'signaled', signo });

// Its container is most of a test's time.
const it = test.concurrent;
vi.setConfig({ testTimeout: 120_000 });

let python: Language;

beforeAll(async () => {
  python = await ensureLanguage('python');
}, 600_000);

aroundEach(Box.scope);

/** A sandbox without a warm process, running this Python program. */
async function started(program: string, options: { systemCalls?: 'engine' } = {}): Promise<Box> {
  const box = await Box.open(python, { command: [], ...options });
  box.start({ files: [{ name: 'main.py', content: program }], run: RUN });
  return box;
}

describe('order of frames', () => {
  it('sends READY, STARTED, all output, EXIT in this order', async () => {
    const box = await started('import sys\nprint("out")\nprint("err", file=sys.stderr)');
    expect((await box.exit()).end).toEqual(exited(0));
    expect(box.order.slice(0, 2)).toEqual([FromAgent.READY, FromAgent.STARTED]);
    expect(box.order.at(-1)).toBe(FromAgent.EXIT);
    expect([box.stdout, box.stderr]).toEqual(['out\n', 'err\n']);
  });

  it('sends every byte of a large output before EXIT', async () => {
    const box = await started('import sys\nsys.stdout.write("y" * 900000)\nsys.stderr.write("z" * 90000)');
    await box.exit();
    expect([box.stdout.length, box.stderr.length]).toEqual([900_000, 90_000]);
  });

  it('lives on after EXIT and sends nothing, until its stdin ends', async () => {
    const box = await started('pass');
    await box.exit();
    box.send(ToAgent.KILL);
    box.type('late');
    expect(box.closed).toBe(false);
    await box.close();
    expect(box.error).toBeUndefined();
    expect(box.closed).toBe(true);
  });

  it('reports the exit code, and the signal', async () => {
    expect((await (await started('raise SystemExit(41)')).exit()).end).toEqual(exited(41));
    const aborted = await started('import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)');
    expect((await aborted.exit()).end).toEqual(signaled(11));
  });

  it('gives the program its files, arguments and environment', async () => {
    const box = await Box.open(python, { command: [] });
    const program = 'import sys, os, helper\nprint(sys.argv[1:], os.environ["A"], helper.X, os.getcwd())';
    const files = [
      { name: 'main.py', content: program },
      { name: 'helper.py', content: Buffer.from('X = "é"') },
    ];
    box.start({ files, run: RUN, args: ['a b', '', 'é'], env: { A: 'b=c', LANG: 'C.UTF-8' } });
    await box.exit();
    expect(box.stdout).toBe("['a b', '', 'é'] b=c é /tmp\n");
  });

  it('assembles files from their frames, executable ones too', async () => {
    const box = await Box.open(python, { command: [] });
    const script = Buffer.from(`#!/bin/sh\n${'#'.repeat(150_000)}\nwc -c < /tmp/data`);
    for (const frame of encodeFile('tool', script, { executable: true })) box.raw(frame);
    for (const frame of encodeFile('data', Buffer.alloc(3_000_000), { executable: false })) box.raw(frame);
    for (const frame of encodeFile('empty', Buffer.alloc(0), { executable: false })) box.raw(frame);
    box.start({ files: [], run: ['sh', '-c', '/tmp/tool && stat -c "%n %s %A" tool data empty'] });
    expect((await box.exit()).end).toEqual(exited(0));
    expect(box.stdout).toBe('3000000\ntool 150028 -rwxr-xr-x\ndata 3000000 -rw-r--r--\nempty 0 -rw-r--r--\n');
  });

  it('counts the CPU time of descendants', async () => {
    // The child measures itself, so that no machine uses less.
    const spin = 'while resource.getrusage(resource.RUSAGE_SELF).ru_utime < 0.05: pass';
    const box = await started(`import os, resource\nif os.fork() == 0:\n  ${spin}\n  os._exit(0)\nos.wait()`);
    expect((await box.exit()).userUs).toBeGreaterThanOrEqual(50_000);
  });
});

describe('stdin', () => {
  it('reaches the program, also when it comes before STARTED, and ends with STDIN_CLOSE', async () => {
    const box = await Box.open(python, { command: [] });
    box.type('early ');
    box.start({ files: [{ name: 'main.py', content: 'import sys\nprint(repr(sys.stdin.read()))' }], run: RUN });
    box.type('late');
    box.send(ToAgent.STDIN_CLOSE);
    await box.exit();
    expect(box.stdout).toBe("'early late'\n");
    expect(decodeStdinAck(box.bytes(FromAgent.STDIN_ACK).subarray(-4))).toBeGreaterThan(0);
  });

  it('is acknowledged only as far as the program reads it', async () => {
    const box = await started('import time\nprint("up")\ntime.sleep(1000)');
    await box.until(() => box.stdout === 'up\n');
    const acked = (): number => {
      const bytes = box.bytes(FromAgent.STDIN_ACK);
      return Array.from({ length: bytes.length / 4 }, (_, i) => bytes.readUInt32BE(i * 4)).reduce((a, b) => a + b, 0);
    };
    box.send(ToAgent.STDIN, Buffer.alloc(STDIN_WINDOW_BYTES)); // fills the pipe
    await box.until(() => acked() === STDIN_WINDOW_BYTES);
    box.send(ToAgent.STDIN, Buffer.alloc(STDIN_WINDOW_BYTES)); // fills the agent's buffer
    box.send(ToAgent.STDIN, Buffer.alloc(1));
    await box.until(() => box.ended);
    expect(acked()).toBe(STDIN_WINDOW_BYTES);
    expect(box.fault).toContain('STDIN');
  });

  it('is dropped and acknowledged when the program closed its end', async () => {
    const box = await started('import os, time\nos.close(0)\nprint("closed")\ntime.sleep(1000)');
    await box.until(() => box.stdout === 'closed\n');
    for (let i = 0; i < 3; i++) box.send(ToAgent.STDIN, Buffer.alloc(40_000));
    await box.until(() => box.has(FromAgent.STDIN_ACK));
    box.send(ToAgent.KILL);
    expect((await box.exit()).end).toEqual(signaled(SIGKILL));
    const acks = box.bytes(FromAgent.STDIN_ACK);
    expect(Array.from({ length: acks.length / 4 }, (_, i) => acks.readUInt32BE(i * 4)).reduce((a, b) => a + b, 0)).toBe(
      120_000,
    );
  });
});

describe('signals and the end', () => {
  it("SIGNAL reaches the program's process group", async () => {
    // Blocked and waited for, so that the signal cannot come between a check and the wait.
    const program =
      'import signal, os, sys\nsignal.pthread_sigmask(signal.SIG_BLOCK, [2])\n' +
      'if os.fork() == 0:\n  signal.sigwait([2])\n  os._exit(0)\n' +
      'print("up")\nsignal.sigwait([2])\nos.wait()\nprint("parent")\nsys.exit(7)';
    const box = await started(program);
    await box.until(() => box.stdout.includes('up\n'));
    box.send(ToAgent.SIGNAL, Uint8Array.of(2));
    expect((await box.exit()).end).toEqual(exited(7));
    expect(box.stdout).toContain('parent\n');
  });

  it('KILL ends a program that ignores and stops everything', async () => {
    const program =
      'import signal, os\nfor s in range(1, 65):\n  try: signal.signal(s, signal.SIG_IGN)\n  except (OSError, ValueError): pass\n' +
      'print("up")\nos.kill(os.getpid(), signal.SIGSTOP)';
    const box = await started(program);
    await box.until(() => box.stdout === 'up\n');
    box.send(ToAgent.KILL);
    expect((await box.exit()).end).toEqual(signaled(SIGKILL));
  });

  it("the end of the worker's side ends everything", async () => {
    const box = await started('print("up")\nwhile True: pass');
    await box.until(() => box.stdout === 'up\n');
    await box.close();
    expect(box.closed).toBe(true);
  });

  it('a fork bomb ends with its main process, and its children are reaped', async () => {
    const program =
      'import os, sys\nsys.stdout.write("up")\nfor i in range(200):\n  try:\n    if os.fork() == 0:\n      os.setsid()\n      while True:\n        try: os.fork()\n        except OSError: pass\n  except OSError: break\nos._exit(5)';
    const box = await started(program);
    expect((await box.exit()).end).toEqual(exited(5));
  });

  it('daemons and held-open descriptors do not delay EXIT', async () => {
    const program =
      'import os, time\nif os.fork() == 0:\n  os.setsid()\n  if os.fork() == 0:\n    time.sleep(1000)\n  os._exit(0)\nos.wait()\nprint("main ends")';
    const box = await started(program);
    expect((await box.exit()).end).toEqual(exited(0));
    expect(box.stdout).toBe('main ends\n');
  });

  it('a pipe end that is stuck in an unreachable socket does not delay EXIT', async () => {
    const program =
      'import socket, array\na, b = socket.socketpair()\nb.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [1, a.fileno(), b.fileno()]))])\nprint("sent")';
    const box = await started(program);
    expect((await box.exit()).end).toEqual(exited(0));
    expect(box.stdout).toBe('sent\n');
  });

  it('a program that closes all its descriptors runs on until it ends', async () => {
    const box = await started(
      'import os, time\nos.write(1, b"up")\nfor fd in range(10):\n  try: os.close(fd)\n  except OSError: pass\ntime.sleep(0.2)\nos._exit(9)',
    );
    expect((await box.exit()).end).toEqual(exited(9));
    expect(box.stdout).toBe('up');
  });
});

describe('back-pressure', () => {
  it("a reader that stops makes the program's write block, and nothing is lost afterwards", async () => {
    // Every pipe and socket on the way holds some; all of them together stay far below this.
    const total = 64 << 20;
    const program = `
import os, select, subprocess
os.set_blocking(1, False)
sent, blocked = 0, None
block = b"x" * 65536
while sent < ${total}:
    if blocked is None and not select.select([], [1], [], 1)[1]:
        blocked = sent
        subprocess.Popen(["sleep", "4242"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    select.select([], [1], [])
    sent += os.write(1, block[: ${total} - sent])
os.write(2, str(blocked).encode())
`;
    const box = await started(program);
    await box.until(() => box.stdout.length > 0);
    box.pause();
    await box.process('sleep 4242');
    expect(box.has(FromAgent.EXIT)).toBe(false);
    box.resume();
    expect((await box.exit()).end).toEqual(exited(0));
    expect(box.bytes(FromAgent.STDOUT).length).toBe(total);
    expect(Number(box.stderr)).toBeLessThan(8 << 20);
  });

  it('KILL is handled while the output is not read', async () => {
    const box = await started('import sys\nwhile True: sys.stdout.write("x" * 65536)');
    await box.until(() => box.stdout.length > 65_536);
    box.pause();
    box.send(ToAgent.KILL);
    box.resume();
    expect((await box.exit()).end).toEqual(signaled(SIGKILL));
  });
});

describe('refused input', () => {
  const header = (type: number, length: number): Buffer => {
    const bytes = Buffer.alloc(AGENT_HEADER_BYTES);
    bytes[0] = type;
    bytes.writeUInt32BE(length, 1);
    return bytes;
  };

  it.each([
    ['an unknown type', header(99, 0)],
    ['HTTP or JSON instead of frames', Buffer.from('{"stdin":true}')],
    ['an oversize START', header(ToAgent.START, (1 << 20) + 1)],
    ['an oversize STDIN', header(ToAgent.STDIN, STDIN_WINDOW_BYTES + 1)],
    ['a length of 4 GiB', header(ToAgent.STDIN, 0xffff_ffff)],
    ['a KILL with payload', header(ToAgent.KILL, 1)],
    ['a cut field', encodeFrame(ToAgent.START, Buffer.from('F\0\0\0\x09a'))],
    ['an unknown field', encodeFrame(ToAgent.START, Buffer.from('Z\0\0\0\0'))],
    ['a path as file name', encodeFrame(ToAgent.START, Buffer.from('F\0\0\0\x07../etc\0'))],
    ['no command at all', encodeFrame(ToAgent.START)],
    ['an artifact in a sandbox that runs', encodeFrame(ToAgent.START, Buffer.from('O\0\0\0\x01aR\0\0\0\x04echo'))],
    ['a compile command in a sandbox that runs', encodeFrame(ToAgent.START, Buffer.from('C\0\0\0\x04echo'))],
    ['a terminal size of three bytes', encodeFrame(ToAgent.START, Buffer.from('T\0\0\0\x03abc'))],
    ['a path in FILE', encodeFrame(ToAgent.FILE, Buffer.from('\0../etc\0'))],
    ['unknown flags in FILE', encodeFrame(ToAgent.FILE, Buffer.from('\x02a\0'))],
    ['FILE without a name', encodeFrame(ToAgent.FILE, Buffer.from('\0abc'))],
    ['signal number 200', encodeFrame(ToAgent.SIGNAL, Uint8Array.of(200))],
    ['a program that does not exist', encodeFrame(ToAgent.START, Buffer.from('R\0\0\0\x05/nope'))],
  ])('%s is a FAULT', async (_what, bytes) => {
    const box = await Box.open(python, { command: [] });
    box.raw(bytes);
    await box.until(() => box.ended);
    expect(box.fault).not.toBe('');
    expect(box.order).toEqual([FromAgent.READY, FromAgent.FAULT]);
  });

  it('a second START is a FAULT, and the program is dead', async () => {
    const box = await started('print("up")\nwhile True: pass');
    await box.until(() => box.stdout === 'up\n');
    box.start({ files: [], run: RUN });
    await box.until(() => box.ended);
    expect(box.fault).toBe('second START');
  });

  it('frames that arrive byte by byte are handled', async () => {
    const box = await Box.open(python, { command: [] });
    const frame = encodeFrame(ToAgent.START, Buffer.from('R\0\0\0\x04echoA\0\0\0\x02hi'));
    for (const byte of frame) {
      box.raw(Uint8Array.of(byte));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await box.exit();
    expect(box.stdout).toBe('hi\n');
  });
});

describe('the warm process', () => {
  it('that ends before START is a FAULT with its last output', async () => {
    const box = await Box.open(python, { command: ['--warm', 'sh', '-c', 'echo broken >&2; exit 3'] });
    expect(box.fault).toMatch(/before START \(exit code 3\): broken/);
  });

  it('that does not exist is a FAULT', async () => {
    const box = await Box.open(python, { command: ['--warm', '/nope'] });
    expect(box.fault).toContain('/nope');
  });

  it('takes no run command', async () => {
    const box = await Box.open(python);
    box.start({ files: [], run: RUN });
    await box.until(() => box.ended);
    expect(box.fault).toContain('warm process');
  });

  it("reports the interpreter's version in READY", async () => {
    const box = await Box.open(python);
    expect(box.bytes(FromAgent.READY).toString()).toMatch(/^3\.\d+\.\d+$/);
  });
});

describe('hostile programs', () => {
  it('hold descriptors 0, 1 and 2 only, started either way', async () => {
    const program =
      'import os\nprint(sorted(os.readlink(f"/proc/self/fd/{f}").split(":")[0] for f in os.listdir("/proc/self/fd") if int(f) != 3))\nprint(len(os.listdir("/proc/self/fd")))';
    const expected = "['pipe', 'pipe', 'pipe']\n4\n"; // the fourth is the listing itself
    const cold = await started(program);
    await cold.exit();
    expect(cold.stdout).toBe(expected);
    const warm = await Box.open(python);
    warm.start({ files: [{ name: 'main.py', content: program }] });
    await warm.exit();
    expect(warm.stdout).toBe(expected);
  });

  it("cannot read the agent's environment, memory or descriptors, nor attach to it", async () => {
    const program = `
import os, ctypes
for name in ("environ", "mem", "maps", "fd", "fdinfo", "auxv", "syscall", "stack", "root", "cwd", "exe"):
    path = "/proc/1/" + name
    try:
        os.listdir(path) if name in ("fd", "fdinfo") else os.readlink(path) if name in ("root", "cwd", "exe") else open(path, "rb").read(1)
        print("READ", name)
    except OSError:
        pass
for fd in range(64):
    for mode in (os.O_RDONLY, os.O_WRONLY):
        try:
            os.open(f"/proc/1/fd/{fd}", mode); print("OPENED", fd)
        except OSError:
            pass
libc = ctypes.CDLL(None, use_errno=True)
print("ptrace", libc.ptrace(16, 1, None, None))
try:
    open("/rungrid/agent", "rb"); print("READ agent")
except OSError:
    pass
print("done")
`;
    const box = await started(program);
    await box.exit();
    expect(box.stdout.replace('ptrace -1\n', '')).toBe('done\n');
  });

  it('cannot end or stop the agent with signals or limits', async () => {
    const program = `
import os, signal
for s in range(1, 65):
    for target in (1, -1):
        if target == -1 and s != signal.SIGCONT:
            continue
        try: os.kill(target, s)
        except OSError: pass
print("alive")
`;
    const box = await started(program);
    expect((await box.exit()).end).toEqual(exited(0));
    expect(box.stdout).toBe('alive\n');
  });

  it.each([
    ['RLIMIT_NOFILE', 7],
    ['RLIMIT_AS', 9],
    ['RLIMIT_NPROC', 6],
    ['RLIMIT_FSIZE', 1],
    ['RLIMIT_STACK', 3],
  ])('lowering %s of the agent ends the run with a last frame all the same', async (_name, resource) => {
    const program = `
import resource
resource.prlimit(1, ${resource}, (0, 0))
print("lowered")
`;
    // The engine's own filter allows it; ours refuses it, which another test checks.
    const box = await started(program, { systemCalls: 'engine' });
    await box.until(() => box.ended);
    expect(box.closed).toBe(false);
    expect([FromAgent.EXIT, FromAgent.FAULT]).toContain(box.order.at(-1));
  });

  it("kill(-1) ends the program's own processes only", async () => {
    const box = await started(
      'import os, signal\nif os.fork() == 0:\n  os.setsid()\n  os.kill(-1, signal.SIGKILL)\nos.wait()',
    );
    expect((await box.exit()).end).toEqual(signaled(SIGKILL));
  });

  it('cannot forge a frame: whatever it writes arrives as its output', async () => {
    const forged = encodeFrame(ToAgent.KILL).toString('latin1').replace('\x06', '\x84');
    const program = `
import os
frame = bytes(${JSON.stringify([...Buffer.from(forged, 'latin1')])}) + bytes(26)
for fd in range(256):
    try: os.write(fd, frame)
    except OSError: pass
for pid in os.listdir("/proc"):
    if pid.isdigit():
        for fd in range(4):
            try: os.write(os.open(f"/proc/{pid}/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK), frame)
            except OSError: pass
os._exit(6)
`;
    const box = await started(program);
    expect((await box.exit()).end).toEqual(exited(6));
    expect(box.error).toBeUndefined();
    expect(box.bytes(FromAgent.STDOUT).length % 31).toBe(0);
  });

  it('run without privileges, core dumps or setuid files, in a session of their own', async () => {
    const program = `
import os, resource, stat
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
print(os.getuid(), status["CapEff"], status["CapBnd"], status["NoNewPrivs"], status["SigBlk"], status["SigIgn"].lstrip("0"))
print(resource.getrlimit(resource.RLIMIT_CORE), os.getsid(0) == os.getpid(), open("/proc/self/oom_score_adj").read().strip())
for top, dirs, files in os.walk("/", topdown=True):
    dirs[:] = [d for d in dirs if os.path.join(top, d) not in ("/proc", "/sys", "/dev")]
    for name in files:
        path = os.path.join(top, name)
        if not os.path.islink(path) and os.lstat(path).st_mode & 0o6000: print("setuid", path)
    for name in dirs:
        path = os.path.join(top, name)
        if path != "/tmp" and not os.path.islink(path) and not path.startswith("/tmp/"):
            try: os.mkdir(path + "/x"); print("writable", path)
            except OSError: pass
`;
    const box = await started(program);
    await box.exit();
    // Python itself ignores SIGPIPE and SIGXFSZ.
    expect(box.stdout).toBe('100123 0000000000000000 0000000000000000 1 0000000000000000 1001000\n(0, 0) True 1000\n');
  });
});
