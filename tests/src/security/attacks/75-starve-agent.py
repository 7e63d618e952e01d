# expect: PID 1 has the program's uid, and still can not be made slower (nice 19 by its id, its user or its group, idle class) beside burners; nice of oneself works
# check: status=ok stdout!~/LEAK/ stdout~/^own 0$/ max_wall=15 after=no_orphans,next_run_ok
import ctypes, os, struct
libc = ctypes.CDLL(None)
for name, r in (("nice", libc.setpriority(0, 1, 19)), ("user", libc.setpriority(2, 0, 19)), ("group", libc.setpriority(1, 0, 19)), ("idle", libc.syscall(144, 1, 5, struct.pack("i", 0))),
                ("upper", libc.syscall(144, ctypes.c_long(1 | 1 << 32), 5, struct.pack("i", 0)))):
    print("LEAK" if r == 0 else "SAFE", name, r)
print("own", os.nice(1) - os.nice(0))
print("cpu", libc.syscall(203, 1, 8, struct.pack("Q", 1)), flush=True)
for i in range(12):
    if os.fork() == 0:
        os.setsid()
        while True:
            pass
os._exit(0)
