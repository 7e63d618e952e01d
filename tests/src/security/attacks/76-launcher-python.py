# expect: nothing of the warm launcher is left in the interpreter: no frame, function, module, socket, thread, hook or descriptor
# check: status=ok stdout!~/LEAK/ stdout~/^done$/
import gc, os, sys, threading
for o in gc.get_objects():
    code = getattr(o, "__code__", None)
    if getattr(code, "co_filename", "").startswith(("warm", "/rungrid")):
        print("LEAK function", code.co_name, code.co_filename)
    if type(o).__name__ in ("socket", "SocketType") and type(o) is not type:
        print("LEAK object", o)
    if isinstance(o, dict) and {"pieces", "control"} <= {k for k in o if isinstance(k, str)}:
        print("LEAK names", sorted(map(str, o))[:8])
frame, depth = sys._getframe(), 0
while frame:
    depth += 1
    if frame.f_code.co_filename != "/tmp/main.py":
        print("LEAK frame", frame.f_code)
    frame = frame.f_back
print("LEAK depth" if depth != 1 else "SAFE depth", depth)
for name in sorted(sys.modules):
    if "rungrid" in name or name in ("_socket", "socket", "warm", "selectors"):
        print("LEAK module", name)
print("SAFE" if sys.argv == ["/tmp/main.py"] and sys.orig_argv[1:] == ["/tmp/main.py"] else "LEAK", sys.argv, sys.orig_argv)
print("SAFE" if threading.active_count() == 1 else "LEAK threads")
print("LEAK hooks" if sys.gettrace() or sys.getprofile() or sys.excepthook is not sys.__excepthook__ else "SAFE hooks")
print("LEAK meta" if any("rungrid" in repr(x) for x in (sys.meta_path, sys.path_hooks, sys.path)) else "SAFE meta")
print("LEAK env" if any("RUNGRID" in k or "WARM" in k for k in os.environ) else "SAFE env", sorted(os.environ))
fds = os.listdir("/proc/self/fd")
print("SAFE" if len(fds) == 4 else "LEAK", "descriptors", fds)
print("done")
