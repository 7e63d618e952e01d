# expect: what waits in local sockets, and descriptors under way in them, are charged or capped: the node's memory does not sink (the kernel takes seconds to collect descriptors under way in dead sockets)
# check: status=ok|memory_limit|process_limit max_wall=15 teardown_within=10 after=host_flat,next_run_ok,no_orphans
import os, socket, time
me = 0
for i in range(30):
    if os.fork() == 0:
        me = 1
        break
keep = []
try:
    while len(keep) < 110:
        a, b = socket.socketpair()
        keep.append((a, b))
        a.setblocking(False)
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            a.setsockopt(socket.SOL_SOCKET, option, 1 << 30)
        try:
            while True:
                a.send(b"x" * 65536)
        except BlockingIOError:
            pass
        try:
            while True:
                socket.send_fds(a, [b"y"], [a.fileno()] * 100)
        except OSError:
            pass
except OSError as e:
    os.write(1, b"stopped %d\n" % e.errno)
time.sleep(2 if me == 0 else 3600)
