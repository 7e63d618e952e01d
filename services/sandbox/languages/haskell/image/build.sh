# Compiles main.hs and the modules that it imports. The linker's words are for nobody.
set -eu
ghc -v0 -O0 -fdiagnostics-color=never -outputdir build -o main main.hs 2>&1 | sed 's/^[[:space:]]*$//;/^$/d' >&2
[ -f main ]
