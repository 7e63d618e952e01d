# warm.js is loaded with --require; nothing else to prepare.
set -eu
