# expect: executing from memory works and gains nothing: same uid, no new privileges, same limits, the agent can be neither read nor run
# check: status=ok stdout!~/LEAK/ stdout~/^Seccomp:\s*2/ stdout~/^NoNewPrivs:\s*1/ stdout~/^CapEff:\s*0+$/
import os
for path in ("/rungrid/agent",):
    try:
        open(path, "rb").read(1)
        print("LEAK the agent's text is readable")
    except OSError as e:
        print("SAFE", e.errno)
child = os.fork()
if child == 0:
    os.execv("/rungrid/agent", ["agent", "--warm", "sh", "-c", "echo LEAK"])
print("agent's own end", os.waitpid(child, 0)[1], flush=True)
fd = os.memfd_create("x", 0)
os.write(fd, open("/bin/cat", "rb").read())
os.execve(fd, ["cat", "/proc/self/status"], {})
