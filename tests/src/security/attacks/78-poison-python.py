# expect: hooks that catch the next interpreter reach no other run: run twice, the second run finds none of them
# check: status=ok stdout!~/CAUGHT|LEAK/ stdout~/^done$/ after=run_twice
import builtins, os, site, sys
if os.path.exists("/tmp/.local") or hasattr(builtins, "caught") or os.path.exists("/tmp/sitecustomize.py"):
    print("LEAK of an earlier run")
builtins.caught = True
builtins.print = print
trap = "import builtins, os\nos.write(1, b'CAUGHT\\n')\n"
for folder in (site.getusersitepackages(), "/tmp", "/usr/lib/python3/dist-packages", "/usr/lib/python3.13", "/rungrid/language", "/etc/python3.13"):
    try:
        os.makedirs(folder, exist_ok=True)
        for name in ("sitecustomize.py", "usercustomize.py", "rungrid.pth", "json.py"):
            with open(f"{folder}/{name}", "w") as f:
                f.write(trap)
        print("wrote", folder)
    except OSError as e:
        print("SAFE", folder, e.errno)
os.environ["PYTHONSTARTUP"] = "/tmp/sitecustomize.py"
sys.stdout.write("done\n")
