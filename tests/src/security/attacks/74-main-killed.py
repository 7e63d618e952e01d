# expect: a child kills the main process and stays, with the output held open: the run ends at once as that signal, the child dies
# check: status=signalled signal=9 max_wall=4 after=no_orphans,terminal_once
import os, signal, time
main = os.getpid()
for i in range(20):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0 and i == 0:
            time.sleep(0.3)
            os.kill(main, signal.SIGKILL)
        while True:
            time.sleep(3600)
time.sleep(3600)
