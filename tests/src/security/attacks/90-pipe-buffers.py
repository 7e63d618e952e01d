# expect: pipe buffers of many processes are charged to the sandbox or capped by the kernel: the node's memory does not sink
# check: status=ok|memory_limit|process_limit max_wall=15 after=host_flat,next_run_ok,no_orphans
import fcntl, os, time
me = 0
for i in range(30):
    if os.fork() == 0:
        me = 1
        break
keep = []
try:
    while len(keep) < 110:
        r, w = os.pipe2(os.O_NONBLOCK)
        keep.append((r, w))
        try:
            fcntl.fcntl(w, 1031, 1 << 20)
        except OSError:
            pass
        try:
            while True:
                os.write(w, b"x" * 65536)
        except BlockingIOError:
            pass
except OSError as e:
    os.write(1, b"stopped %d\n" % e.errno)
time.sleep(2 if me == 0 else 3600)
