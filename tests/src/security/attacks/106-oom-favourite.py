# expect: a program that makes itself the last to be killed and fills memory that is nobody's size: memory_limit all the same, also when PID 1 goes
# check: status=memory_limit max_wall=15 after=next_run_ok,no_orphans
import os, time
for value in ("-1000", "0", "500", "501"):
    try:
        open("/proc/self/oom_score_adj", "w").write(value)
    except OSError:
        pass
for i in range(14):
    if os.fork() == 0:
        break
keep = []
while True:
    fd = os.memfd_create("x")
    keep.append(fd)
    try:
        os.write(fd, b"x" * (4 << 20))
    except OSError:
        time.sleep(0.1)
