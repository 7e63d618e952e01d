# TODO: what the packages lack; runs as root while the image is made, in /rungrid/language with the files of this folder.
set -eu
