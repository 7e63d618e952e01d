# Loaded before the program: what is printed shows at once on a pipe, as on a terminal. Leaves nothing behind.
package Stdout;
$| = 1;
delete $INC{'Stdout.pm'};
@INC = grep { $_ ne '/rungrid/language' } @INC;
undef *Stdout::;
1;
