# expect: a byte now and then keeps the idle limit away, not the wall clock: time_limit
# check: status=time_limit exit_not_before_wall=1 max_wall=12 after=no_orphans
import os, signal, time
for s in range(1, 65):
    try:
        signal.signal(s, signal.SIG_IGN)
    except (OSError, ValueError):
        pass
while True:
    os.write(1, b".")
    time.sleep(0.25)
