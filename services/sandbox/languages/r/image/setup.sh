# Messages are English in every sandbox (LANG=C.UTF-8), so the translations are never shown; nor is the history of R's changes.
set -eu
rm -rf /usr/lib/R/library/translations /usr/share/R/doc/NEWS* /usr/share/R/doc/html/NEWS*
