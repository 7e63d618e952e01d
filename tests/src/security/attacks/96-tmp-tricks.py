# expect: sparse files, links, deep and unreadable trees and rename storms in /tmp stay within it and do not slow the end of the sandbox
# check: status=nonzero exit=4 stdout!~/LEAK/ max_wall=12 after=teardown_fast,next_run_ok,no_orphans,host_files_unchanged
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def attempt(name, do):
    try:
        do()
        print("LEAK", name, flush=True)
    except OSError as e:
        print("SAFE", name, e.errno)
fd = os.open("/tmp/sparse", os.O_RDWR | os.O_CREAT)
attempt("sparse beyond the limit", lambda: os.ftruncate(fd, 1 << 40))
attempt("write far away", lambda: os.pwrite(fd, b"x", 1 << 40))
attempt("allocate", lambda: os.posix_fallocate(fd, 0, 1 << 30))
attempt("hard link of an image's file", lambda: os.link("/etc/passwd", "/tmp/passwd"))
for target in ("/proc/1/root/etc/passwd", "/etc/passwd", "/rungrid/agent", "/proc/1/mem", "/dev/../etc/hosts", "/etc/hostname"):
    os.symlink(target, "/tmp/link")
    attempt("write through a link to " + target, lambda: os.close(os.open("/tmp/link", os.O_WRONLY)))
    os.unlink("/tmp/link")
depth = 0
try:
    while depth < 900:
        os.mkdir("d")
        os.chdir("d")
        depth += 1
except OSError as e:
    print("depth", depth, e.errno)
os.chdir("/tmp")
os.chmod("/tmp/d", 0)
os.symlink("loop", "/tmp/loop")
attempt("loop", lambda: os.open("/tmp/loop", os.O_RDONLY))
for i in range(8000):
    os.rename("/tmp/sparse" if i % 2 == 0 else "/tmp/s", "/tmp/s" if i % 2 == 0 else "/tmp/sparse")
os.mkfifo("/tmp/fifo")
if os.fork() == 0:
    os.open("/tmp/fifo", os.O_RDONLY)
os._exit(4)
