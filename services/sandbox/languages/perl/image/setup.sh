# Stdout.pm is loaded with -M; nothing else to prepare.
