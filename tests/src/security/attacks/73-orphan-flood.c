// expect: PID 1 reaps thousands of orphans while it carries output and input; the exit code is the main process's
// check: status=nonzero exit=3 stdout~/^line 49$/ max_wall=10 after=no_orphans,next_run_ok
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

// Orphans count against the limit of processes until PID 1 has reaped them: the flood is as fast as that, and no faster.
static int processes(void) {
  DIR *proc = opendir("/proc");
  int count = 0;
  for (struct dirent *entry; proc != NULL && (entry = readdir(proc)) != NULL;) count += isdigit((unsigned char)entry->d_name[0]) != 0;
  if (proc != NULL) closedir(proc);
  return count;
}

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
    while (processes() > 4) usleep(1000);
  }
  fflush(stdout);
  return 3;
}
