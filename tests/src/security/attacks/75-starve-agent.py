# expect: PID 1 has the program's uid, so it can be made slow (nice 19, idle class, one processor) beside burners: the run still ends, by itself or by its limit
# check: status=ok|time_limit max_wall=15 after=no_orphans,next_run_ok
import ctypes, os, struct
libc = ctypes.CDLL(None)
print("nice", libc.setpriority(0, 1, 19))
print("idle", libc.syscall(144, 1, 5, struct.pack("i", 0)))
print("cpu", libc.syscall(203, 1, 8, struct.pack("Q", 1)), flush=True)
for i in range(12):
    if os.fork() == 0:
        os.setsid()
        while True:
            pass
os._exit(0)
