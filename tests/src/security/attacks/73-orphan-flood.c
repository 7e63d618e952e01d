// expect: PID 1 reaps thousands of orphans while it carries output and input; the exit code is the main process's
// check: status=nonzero exit=3 stdout~/^line 49$/ max_wall=10 after=no_orphans,next_run_ok
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  for (int i = 0; i < 50; i++) {
    printf("line %d\n", i);
    for (int k = 0; k < 20; k++) {
      if (vfork() == 0) {
        if (vfork() == 0) _exit(9);
        if (vfork() == 0) _exit(0);
        _exit(0);
      }
    }
    while (waitpid(-1, 0, WNOHANG) > 0) {}
  }
  fflush(stdout);
  return 3;
}
