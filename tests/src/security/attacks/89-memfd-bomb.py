# expect: files without a name are memory too: memory_limit, and each is bounded by the file size limit
# check: status=memory_limit stdout!~/LEAK/ max_wall=15 after=host_flat,next_run_ok,no_orphans
import os, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
big = os.memfd_create("big")
try:
    os.ftruncate(big, 1 << 30)
    print("LEAK a file of 1 GiB")
except OSError as e:
    print("SAFE", e.errno, flush=True)
keep = []
while True:
    fd = os.memfd_create("x")
    keep.append(fd)
    for _ in range(9):
        os.write(fd, b"x" * (1 << 20))
