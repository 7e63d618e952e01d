# Puts prepare.lisp into the core that sbcl starts with.
set -eu
cd /usr/lib/sbcl
sbcl --no-sysinit --no-userinit --non-interactive --load /rungrid/language/prepare.lisp --eval '(save-lisp-and-die "new.core")'
mv new.core sbcl.core
rm /rungrid/language/prepare.lisp sbcl.o sbcl.mk
