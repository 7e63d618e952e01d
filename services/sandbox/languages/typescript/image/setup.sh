# The compiler's own library in one place; both scripts are used as they are.
set -eu
test -d /usr/share/nodejs/typescript
test -d /usr/share/nodejs/@types/node
