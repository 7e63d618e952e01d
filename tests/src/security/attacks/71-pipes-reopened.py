# expect: /proc/self/fd gives the other ends of the program's own pipes and no more: it may write its own stdin and eat its own output; exit 7 is reported
# check: status=nonzero exit=7 terminal_once max_wall=6 after=next_run_ok,no_orphans
import fcntl, os, signal, struct, time
signal.signal(signal.SIGIO, signal.SIG_IGN)
back = os.open("/proc/self/fd/0", os.O_WRONLY)
for payload in (struct.pack(">BI", 132, 26) + bytes(26), struct.pack(">BI", 137, 4) + b"gone", struct.pack(">BI", 6, 0)):
    os.write(back, payload)
thief = os.open("/proc/self/fd/1", os.O_RDONLY | os.O_NONBLOCK)
for fd in (0, 1, 2, thief, back):
    fcntl.fcntl(fd, 1031, 1 << 20)
    fcntl.fcntl(fd, fcntl.F_SETFL, fcntl.fcntl(fd, fcntl.F_GETFL) | os.O_NONBLOCK | os.O_ASYNC)
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
for i in range(3000):
    try:
        os.write(1, b"\x84\0\0\0\x1a" + bytes(26))
        os.read(thief, 65536)
    except BlockingIOError:
        pass
for fd in (0, 1, 2):
    fcntl.fcntl(fd, 1031, 4096)
if os.fork() == 0:
    time.sleep(3600)
os._exit(7)
