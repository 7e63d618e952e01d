// expect: children of PID 1 made with CLONE_PARENT, a blocked vfork and a thread that outlives its leader do not confuse who the program is
// check: status=nonzero exit=6 stdout~/^adopted$/ max_wall=10 after=no_orphans,terminal_once
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>
static char stack[4][65536];
static int adopted(void *p) { if (p) _exit(44); for (;;) pause(); }
static void *other(void *p) { vfork() == 0 ? (void)pause() : (void)0; return p; }
static void *last(void *p) {
  usleep(300000);
  puts("adopted"); fflush(stdout);
  exit(6);
  return p;
}
int main(void) {
  for (int i = 0; i < 4; i++) clone(adopted, stack[i] + 65536, CLONE_PARENT | SIGCHLD, i ? stack : 0);
  pthread_t t;
  pthread_create(&t, 0, other, 0);
  pthread_create(&t, 0, last, 0);
  syscall(SYS_exit, 0);
}
