// Linked into every program: stdin and stdout behave as on a terminal, so a prompt shows before the program waits for its answer.
#include <stdio.h>

__attribute__((constructor)) static void like_a_terminal(void) {
  // Line buffered: a newline flushes, and so does a read from a line-buffered or unbuffered stream that asks the kernel for input.
  setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
  setvbuf(stdin, NULL, _IOLBF, BUFSIZ);
}
