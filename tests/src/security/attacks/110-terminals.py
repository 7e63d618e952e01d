# expect: pseudo terminals are counted for the whole machine: a sandbox must not be able to take them all
# check: status=ok stdout!~/LEAK/ max_wall=10 after=next_run_ok
import os, signal
n, total = 0, 0
r, w = os.pipe()
for i in range(20):
    if os.fork() == 0:
        try:
            while True:
                os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
                n += 1
        except OSError:
            pass
        os.write(w, b"%6d" % n)
        signal.pause()
for i in range(20):
    total += int(os.read(r, 6))
print("LEAK" if total > 500 else "SAFE", total, "terminals", flush=True)
os._exit(0)
