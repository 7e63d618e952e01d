# stdout.rb is loaded with -r; nothing else to prepare.
