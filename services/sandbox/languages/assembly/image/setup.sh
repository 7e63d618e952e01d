# Makes start.a, and fails early on another architecture. Removes the profilers of binutils.
set -eu
[ "$(dpkg --print-architecture)" = amd64 ] || { echo 'assembly: NASM writes x86-64 programs; they run on amd64 hosts only' >&2; exit 1; }
nasm -f elf64 -o start.o start.asm
ar rcs start.a start.o
rm start.asm start.o
rm -rf /usr/lib/*/gprofng /usr/lib/*/libgprofng.* /usr/bin/*gprofng*
