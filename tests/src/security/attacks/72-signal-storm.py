# expect: no signal from inside reaches PID 1, whatever it is called and however often; forged SIGCHLDs end nothing
# check: status=ok stdout~/^still here$/ max_wall=8 after=next_run_ok
import ctypes, os, signal, struct
libc = ctypes.CDLL(None)
pidfd = libc.syscall(434, 1, 0)
for s in range(1, 65):
    for code in (0, -1, -6, 1):
        info = struct.pack("iiii", s, 0, code, 0) + struct.pack("iii", os.getpid(), os.getuid(), 9) + bytes(100)
        libc.syscall(129, 1, s, info)
        libc.syscall(297, 1, 1, s, info)
        libc.syscall(424, pidfd, s, info, 0)
    libc.syscall(62, 1, s)
    libc.syscall(200, 1, s)
    libc.syscall(234, 1, 1, s)
for i in range(20000):
    libc.syscall(62, 1, signal.SIGCHLD if i & 1 else signal.SIGSTOP)
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
print("still here", flush=True)
