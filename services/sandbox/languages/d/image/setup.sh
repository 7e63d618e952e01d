# Compiles stdio.d; then takes out static and debug libraries of D, and other languages of gcc, which only links here.
set -eu
ldc2 -betterC -O2 -c stdio.d
rm stdio.d
rm -f /usr/lib/*/lib*-ldc*.a /usr/lib/*/lib*-ldc-debug* /usr/bin/ldc-* /usr/bin/ldmd2
rm -f /usr/libexec/gcc/*/14/cc1 /usr/libexec/gcc/*/14/lto1 /usr/bin/*lto-dump* /usr/bin/*gcov* /usr/lib/gcc/*/14/libgcov.a
rm -rf /usr/lib/gcc/*/14/plugin /usr/lib/*/gprofng /usr/lib/*/libgprofng.* /usr/lib/*/lib*san.so* /usr/bin/*gprofng*
rm -f /usr/lib/gcc/*/14/lib*san*.[ao] /usr/lib/*-linux-gnu/libc.a /usr/lib/*-linux-gnu/libm-*.a /usr/lib/*-linux-gnu/libmvec.a
