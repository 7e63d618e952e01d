# Messages are English in every sandbox (LANG=C.UTF-8), so nobody sees the translations; what changed in R since 1995 neither.
set -eu
rm -rf /usr/lib/R/library/translations /usr/share/R/doc/NEWS* /usr/share/R/doc/html/NEWS*
