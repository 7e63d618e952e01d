# expect: a program that stops itself, its children and its group does not outlive its time
# check: status=time_limit exit_not_before_wall=1 max_wall=12 after=no_orphans,next_run_ok
import os, signal
for i in range(5):
    if os.fork() == 0:
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
os.kill(0, signal.SIGSTOP)
