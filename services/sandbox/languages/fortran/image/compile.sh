# Compiles main.f90 and the files beside it: those first, for their modules.
set -eu
exec gfortran -O1 -g -fbacktrace -pipe -fno-use-linker-plugin -fdiagnostics-color=never -o main \
  $(find . -maxdepth 1 -name '*.f90' ! -name main.f90 -printf '%P\n' | sort) main.f90
