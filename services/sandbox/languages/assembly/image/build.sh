# Assembles main.asm; links it with the C library when it has a main, alone when it has a _start.
set -eu
nasm -f elf64 -o main.o main.asm
if grep -Eqi '^[[:space:]]*global[[:space:]]+_start' main.asm; then
  exec ld -o main main.o
fi
exec gcc -no-pie -pipe -fno-use-linker-plugin -fdiagnostics-color=never -z noexecstack -o main main.o /rungrid/language/stdio.o
