# expect: run twice in sequence (same slot, same user): the second run finds no marker of the first
# check: status=ok stdout!~/LEAK/ max_wall=15 after=run_twice
import os
places = ("/tmp", "/dev/shm", "/var/tmp", "/run", "/run/lock", "/dev/mqueue", os.path.expanduser("~"), ".", "/var/cache")
for d in sorted({os.path.realpath(p) for p in places}):
    p = os.path.join(d, ".residue-probe")
    try:
        if os.path.exists(p):
            print("LEAK", p)
        with open(p, "w") as f:
            f.write("x")
        print("wrote", p)
    except OSError as e:
        print("SAFE", d, e.errno)
print("pids", sorted(int(x) for x in os.listdir("/proc") if x.isdigit()), "uptime-of-1", os.stat("/proc/1").st_ctime)
