# The object that makes stdout behave as on a terminal is compiled once, here.
set -eu
gcc -O2 -c -o stdio.o stdio.c
rm stdio.c
