# Compiles rungrid_stdio.ml; then takes out bytecode, the toplevel, the compiler as a library, and other languages of gcc.
set -eu
ocamlopt -c rungrid_stdio.ml
rm rungrid_stdio.ml
cd "$(ocamlc -where)"
rm -rf compiler-libs ocamldoc dynlink profiling runtime-launch-info expunge objinfo_helper
find . -name '*.cmt*' -delete -o -name '*.ml' -delete -o -name 'libasmrun[di_]*' -delete -o -name 'libcamlrun*' -delete
find . -name '*.cma' -delete -o -name '*.cmo' -delete -o -name '*_shared.so' -delete
cd /usr/bin
rm -f ocaml *.byte ocamldoc* ocamldebug ocamldumpobj ocamlcmt ocamlobjinfo* ocamlprof ocamloptp ocamlcp ocamlrun* ocamlmk* ocamllex* ocamlc ocamlc.opt
rm -f /usr/libexec/gcc/*/14/cc1 /usr/libexec/gcc/*/14/lto1 /usr/bin/*lto-dump* /usr/bin/*gcov* /usr/lib/gcc/*/14/libgcov.a
rm -rf /usr/lib/gcc/*/14/plugin /usr/lib/*/gprofng /usr/lib/*/libgprofng.* /usr/lib/*/lib*san.so* /usr/bin/*gprofng*
rm -f /usr/lib/gcc/*/14/lib*san*.[ao] /usr/lib/*-linux-gnu/libc.a /usr/lib/*-linux-gnu/libm-*.a /usr/lib/*-linux-gnu/libmvec.a
