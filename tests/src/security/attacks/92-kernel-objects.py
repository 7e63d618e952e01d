# expect: watches, events, timers, pseudo terminals and locks are capped or charged, and are gone with the run
# check: status=ok|memory_limit|process_limit stdout!~/LEAK/ max_wall=15 after=host_flat,next_run_ok,no_orphans
import ctypes, fcntl, os, select, signal, struct
libc = ctypes.CDLL(None, use_errno=True)
def until_refused(name, most, make):
    n = 0
    try:
        while n < most:
            r = make(n)
            if isinstance(r, int) and r < 0:
                raise OSError(ctypes.get_errno(), "")
            n += 1
        print("LEAK" if most > 500 else "SAFE", name, n, "and no end", flush=True)
    except OSError as e:
        print("SAFE", name, n, e.errno, flush=True)
for i in range(8):
    if os.fork() == 0:
        signal.pause()
held = []
timer = ctypes.c_void_p()
until_refused("posix timers", 100000, lambda n: libc.syscall(222, 1, struct.pack("QiiQ", 0, 10, 0, 0) + bytes(48), ctypes.byref(timer)))
until_refused("inotify instances", 1000, lambda n: libc.inotify_init())
until_refused("epoll", 1000, lambda n: held.append(select.epoll()))
for fd in range(3, 256):
    try:
        os.close(fd)
    except OSError:
        pass
for e in held:
    try:
        e.close()
    except OSError:
        pass
until_refused("eventfd and timerfd", 1000, lambda n: libc.eventfd(0, 0) if n & 1 else libc.timerfd_create(1, 0))
for fd in range(3, 256):
    os.closerange(fd, fd + 1)
lock = os.open("/tmp/lock", os.O_RDWR | os.O_CREAT)
until_refused("locks", 400, lambda n: fcntl.lockf(lock, fcntl.LOCK_EX, 1, n * 2))
until_refused("queued signals", 100000, lambda n: libc.sigqueue(os.getpid(), 34, 0) if n else signal.pthread_sigmask(signal.SIG_BLOCK, [34]) and None)
os._exit(0)
