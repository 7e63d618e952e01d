# Compiles main.ml and the modules beside it, in the order of their dependencies, with what the distribution has: Unix, Str, Thread.
set -eu
files=main.ml
[ "$(find . -maxdepth 1 -name '*.ml*' | wc -l)" = 1 ] || files=$(ocamldep -sort $(find . -maxdepth 1 -name '*.ml' -o -maxdepth 1 -name '*.mli'))
exec ocamlopt -g -color never -I +unix -I +str -I +threads -I /rungrid/language -ccopt -s -o main \
  unix.cmxa str.cmxa threads.cmxa /rungrid/language/rungrid_stdio.cmx $files
