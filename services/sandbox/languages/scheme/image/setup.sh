# warm.scm is loaded with -l; nothing else to prepare.
