// expect: the main process ends while its children fork as fast as they can: SIGKILL to all is atomic against fork, the end comes at once
// check: status=nonzero exit=2 max_wall=8 after=no_orphans,terminal_once,next_run_ok
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
  for (int i = 0; i < 12; i++)
    if (fork() == 0) for (;;) { if (fork() == 0) _exit(0); waitpid(-1, 0, 0); }
  usleep(400000);
  return 2;
}
