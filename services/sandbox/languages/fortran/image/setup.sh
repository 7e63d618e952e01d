# Takes out what compiling and running Fortran never needs: other languages of gcc, sanitizers, profilers, static libraries.
set -eu
rm -f /usr/libexec/gcc/*/14/cc1 /usr/libexec/gcc/*/14/lto1 /usr/lib/gcc/*/14/lib*san*.[ao] /usr/lib/gcc/*/14/libgcov.a
rm -f /usr/lib/gcc/*/14/libgfortran.a /usr/lib/gcc/*/14/libquadmath.a
rm -rf /usr/lib/gcc/*/14/plugin /usr/lib/*/gprofng /usr/lib/*/libgprofng.* /usr/lib/*/lib*san.so* /usr/bin/*gcov* /usr/bin/*gprofng*
# A program is linked with shared libraries only.
rm -f /usr/lib/*-linux-gnu/libc.a /usr/lib/*-linux-gnu/libm-*.a /usr/lib/*-linux-gnu/libmvec.a
