# Debian ships what a compile step needs; nothing else to prepare.
