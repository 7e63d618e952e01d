# Loaded before the program: what is printed shows at once on a pipe, as on a terminal. Leaves nothing behind.
$stdout.sync = true
