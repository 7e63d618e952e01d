# Debian ships what it needs; nothing else to prepare.
