# The object that makes stdout behave as on a terminal is compiled once, here. NASM is for x86-64: on other machines this image is not made.
set -eu
[ "$(uname -m)" = x86_64 ]
gcc -O2 -c -o stdio.o stdio.c
rm stdio.c
