# Compiles start.o and Stdio.o. Programs are linked with shared libraries (a program is 50 KB instead of 10 MB): what static ones need goes.
set -eu
ghc -v0 -O1 -dynamic -c Stdio.hs start.c
rm Stdio.hs start.c Stdio.hi Stdio_stub.h
libraries=$(dirname "$(ghc --print-libdir)")/lib
find "$libraries" /usr/lib/haskell-packages -name '*.hi' -delete -o -name '*.p_hi' -delete -o -name '*.a' -delete -o -name '*_p.a' -delete
# The compiler as a library, but for the shared one that it is linked with itself; other ways of the runtime.
rm -rf "$libraries"/*/ghc-9* "$libraries"/*/Cabal* "$libraries"/html "$libraries"/latex
find "$libraries" -name 'libHSCabal*' -delete -o -name 'libHSrts*_debug*' -delete -o -name 'libHSrts*_l-*' -delete
rm -f /usr/lib/ghc/bin/ghc-iserv* /usr/lib/ghc/bin/haddock* /usr/lib/ghc/bin/hpc* /usr/lib/ghc/bin/hp2ps* /usr/lib/ghc/bin/hsc2hs*
rm -f /usr/libexec/gcc/*/14/lto1 /usr/bin/*lto-dump* /usr/bin/*gcov* /usr/lib/gcc/*/14/libgcov.a
rm -rf /usr/lib/gcc/*/14/plugin /usr/lib/*/gprofng /usr/lib/*/libgprofng.* /usr/lib/*/lib*san.so* /usr/bin/*gprofng*
rm -f /usr/lib/gcc/*/14/lib*san*.[ao] /usr/lib/*-linux-gnu/libc.a /usr/lib/*-linux-gnu/libm-*.a /usr/lib/*-linux-gnu/libmvec.a
