# Parts that a compile step never reads: profiling, dynamic and debug builds of the libraries.
set -eu
find /usr/lib/ghc /usr/lib/haskell-packages -name "*.p_hi" -delete -o -name "*_p.a" -delete -o -name "*_debug*.a" -delete 2>/dev/null || true
