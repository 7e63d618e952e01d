# expect: PID 1 on one processor with burners, and refused every other disadvantage, dies when it is killed: the sandbox is gone in time
# check: status=time_limit max_wall=15 after=no_orphans,teardown_fast,next_run_ok
import ctypes, os, struct
libc = ctypes.CDLL(None)
libc.setpriority(0, 1, 19)
libc.setpriority(2, 0, 19)
libc.syscall(144, 1, 5, struct.pack("i", 0))
for pid in (1, 0):
    libc.syscall(203, pid, 8, struct.pack("Q", 1))
for i in range(13):
    if os.fork() == 0:
        os.setsid()
        break
while True:
    pass
