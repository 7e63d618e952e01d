# expect: closed, swapped and doubled standard descriptors are the program's own business: what it wrote before arrives, its code is reported
# check: status=nonzero exit=5 stdout~/^first$/ max_wall=6 after=no_orphans
import os, resource
os.write(1, b"first\n")
for fd in range(3, 250):
    os.dup2(1 + fd % 2, fd)
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
for fd in (0, 1, 2):
    os.close(fd)
if os.fork() == 0:
    while True:
        os.sched_yield()
os._exit(5)
