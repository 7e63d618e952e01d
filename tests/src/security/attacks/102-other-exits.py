# expect: a run that ends by a real-time signal from its own child, from a stopped state, is reported as that signal
# check: status=signalled max_wall=6 terminal_once after=no_orphans
import os, signal, time
main = os.getpid()
if os.fork() == 0:
    time.sleep(0.3)
    os.kill(main, signal.SIGRTMIN + 6)
    os.kill(main, signal.SIGCONT)
    time.sleep(3600)
os.kill(main, signal.SIGSTOP)
os._exit(0)
