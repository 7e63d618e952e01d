# expect: an army of zombies, and daemons that hold every output open through sockets that nobody reads, do not delay the end
# check: status=nonzero exit=9 stdout~/^army$/ max_wall=5 after=no_orphans,next_run_ok,terminal_once
import os, socket, time
a, b = socket.socketpair()
socket.send_fds(a, [b"x"], [1, 2, b.fileno(), a.fileno()])
for i in range(20):
    if os.fork() == 0:
        os._exit(i)
for i in range(12):
    if os.fork() == 0:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        time.sleep(3600)
os.write(1, b"army\n")
os._exit(9)
