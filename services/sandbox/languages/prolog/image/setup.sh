# warm.pl is loaded with -f; what stays out is for C programs that embed Prolog.
rm -rf /usr/lib/swi-prolog/include /usr/lib/swi-prolog/lib /usr/lib/swi-prolog/cmake /usr/lib/swi-prolog/demo /usr/lib/swi-prolog/test
