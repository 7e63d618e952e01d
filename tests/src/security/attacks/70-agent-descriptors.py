# expect: nothing of PID 1 can be read, traced, copied or opened: its descriptors carry the worker's protocol
# check: status=ok stdout!~/LEAK/ stdout~/^done$/
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
buf = ctypes.create_string_buffer(64)
iov = (ctypes.c_void_p * 2)(ctypes.addressof(buf), 64)
far = (ctypes.c_void_p * 2)(0x400000, 64)
def call(name, nr, *args):
    r = libc.syscall(nr, *args)
    print("SAFE" if r < 0 else "LEAK", name, r, ctypes.get_errno())
for name in ("fd", "fdinfo", "map_files", "task/1/fd", "task/1/fdinfo", "ns"):
    try:
        for n in os.listdir(f"/proc/1/{name}"):
            print("LEAK", name, n, os.readlink(f"/proc/1/{name}/{n}") if name != "fdinfo" else "")
            break
    except OSError as e:
        print("SAFE", name, e.errno)
for name in ("mem", "maps", "smaps", "environ", "auxv", "stack", "syscall", "personality", "root/etc/passwd", "cwd/x", "exe", "task/1/mem", "pagemap", "fd/0", "fd/1", "fd/10", "fd/16"):
    for mode in (os.O_RDONLY, os.O_WRONLY):
        try:
            fd = os.open(f"/proc/1/{name}", mode)
            data = os.read(fd, 64) if mode == os.O_RDONLY else b"writable"
            print("LEAK" if data else "SAFE", name, data)
        except OSError as e:
            print("SAFE", name, mode, e.errno)
for name in ("comm", "oom_score_adj", "coredump_filter", "sched", "autogroup", "timerslack_ns", "clear_refs", "uid_map", "attr/current"):
    try:
        fd = os.open(f"/proc/1/{name}", os.O_WRONLY)
        os.write(fd, b"0")
        print("LEAK wrote", name)
    except OSError as e:
        print("SAFE", name, e.errno)
call("ptrace attach", 101, 16, 1, 0, 0)
call("ptrace seize", 101, 0x4206, 1, 0, 0)
call("process_vm_readv", 310, 1, iov, 1, far, 1, 0)
call("process_vm_writev", 311, 1, iov, 1, far, 1, 0)
call("kcmp", 312, 1, os.getpid(), 0, 0, 0)
call("prlimit", 302, 1, 7, 0, buf)
call("move_pages", 279, 1, 0, 0, 0, 0, 0)
pidfd = libc.syscall(434, 1, 0)
for fd in (0, 1, 2, 10, 11, 12, 13, 14, 15, 16):
    call(f"pidfd_getfd {fd}", 438, pidfd, fd, 0)
call("process_madvise", 440, pidfd, iov, 1, 21, 0)
call("setns", 308, pidfd, 0x20000)
print("done")
