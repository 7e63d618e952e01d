// Linked into every program: stdin and stdout behave as on a terminal (see languages/c).
import core.stdc.stdio;

pragma(crt_constructor) extern (C) void rungridStdio() {
  setvbuf(stdout, null, _IOLBF, BUFSIZ);
  setvbuf(stdin, null, _IOLBF, BUFSIZ);
}
