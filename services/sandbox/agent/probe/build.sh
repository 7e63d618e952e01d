#!/bin/sh
# Builds the self-test's probe: build.sh OUTPUT. Static, so that it runs in every language's image.
set -eu
${CC:-musl-gcc} -std=c17 -O2 -Wall -Wextra -Werror -Wformat=2 -static -s -o "$1" ./*.c
chmod 0755 "$1"
