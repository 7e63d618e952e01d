# expect: no file of /proc (but the program's own) and none of /sys can be opened for writing: no setting, control group, core pattern or power switch
# check: status=ok stdout!~/LEAK/ stdout~/^tried [1-9]\d\d/ after=host_files_unchanged max_wall=20
import os
tried = 0
def attempt(path):
    global tried
    tried += 1
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        # What is masked is /dev/null.
        if os.fstat(fd).st_rdev != os.makedev(1, 3):
            print("LEAK writable", path, flush=True)
        os.close(fd)
    except OSError:
        pass
def walk(top, most):
    left = most
    for root, dirs, files in os.walk(top, onerror=lambda e: None):
        for name in files:
            attempt(os.path.join(root, name))
            left -= 1
        for name in dirs:
            try:
                os.mkdir(os.path.join(root, name, "mine"))
                print("LEAK directory made in", root, name)
            except OSError:
                pass
        if left <= 0:
            return
walk("/proc/sys/kernel", 400)
walk("/proc/sys/vm", 100)
walk("/proc/sys/fs", 100)
walk("/sys/fs/cgroup", 600)
walk("/sys/kernel", 300)
walk("/sys/module", 100)
walk("/sys/power", 100)
walk("/proc/irq", 50)
walk("/proc/fs", 50)
for name in ("sysrq-trigger", "kcore", "kmsg", "mtrr", "kpagecount", "timer_list", "sched_debug", "sys/kernel/domainname", "sys/kernel/ns_last_pid", "sys/kernel/yama/ptrace_scope",
             "self/ns/user", "sys/kernel/core_pattern", "sys/kernel/modprobe", "sys/kernel/hostname", "acpi/wakeup", "bus/pci/devices"):
    attempt(f"/proc/{name}")
print("tried", tried)
