# The unit that makes stdout behave as on a terminal is compiled once, here. Removes the profilers of binutils.
set -eu
fpc -v0ew -l- -O1 stdio.pas
rm stdio.pas
rm -rf /usr/lib/*/gprofng /usr/lib/*/libgprofng.* /usr/bin/*gprofng*
