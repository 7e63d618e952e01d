# Assembles and links /tmp/main.asm: as it is when it has _start, with the C library's start when it has main instead.
set -eu
nasm -f elf64 -g -F dwarf -o main.o main.asm
exec ld -o main main.o -u _start /rungrid/language/start.a \
  --as-needed /lib/x86_64-linux-gnu/libc.so.6 /lib/x86_64-linux-gnu/libm.so.6 -dynamic-linker /lib64/ld-linux-x86-64.so.2
