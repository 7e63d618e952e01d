# The standard library is compiled once, here: what the go command does before each small build is most of its time.
set -eu
export HOME=/tmp GOCACHE=/tmp/cache GO111MODULE=off CGO_ENABLED=0 GOTOOLCHAIN=local
mkdir std
go list -export -f '{{if .Export}}{{.ImportPath}} {{.Export}}{{end}}' std | while read -r package archive; do
  mkdir -p "std/$(dirname "$package")"
  cp "$archive" "std/$package.a"
  echo "packagefile $package=/rungrid/language/std/$package.a" >> importcfg
done
mkdir tool
cp "$(go env GOTOOLDIR)/compile" "$(go env GOTOOLDIR)/link" tool/
go version | cut -d ' ' -f 3 > version
# What only the go command and its builds of the library need.
rm -rf /usr/share/go-1.24 /usr/lib/go-1.24 /usr/bin/go /usr/bin/gofmt
