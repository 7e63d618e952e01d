# Compiles and links every .go file in /tmp that is no test, as `go build` does, with the standard library that is here.
set -eu
set -- *.go
for file in "$@"; do
  shift
  case $file in *_test.go) ;; *) set -- "$@" "$file" ;; esac
done
read -r version < /rungrid/language/version
/rungrid/language/tool/compile -o main.a -p main -lang="${version%.*}" -complete -pack \
  -importcfg /rungrid/language/importcfg "$@"
exec /rungrid/language/tool/link -s -w -buildmode=exe -importcfg /rungrid/language/importcfg -o main main.a
