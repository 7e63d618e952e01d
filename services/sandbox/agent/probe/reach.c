// Reports on reach: interfaces, socket families, system calls that must be refused, older ABIs, PID 1 and other processes.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define CALL(name) {#name, SYS_##name}

// Each is called with -1 for every argument: a call that passes the filter does nothing, and fails with another errno than a refusal.
static const struct {
  const char *name;
  long number;
} refused[] = {
    CALL(chroot), CALL(fsconfig), CALL(fsmount), CALL(fsopen), CALL(fspick), CALL(mount), CALL(mount_setattr), CALL(move_mount),
    CALL(open_tree), CALL(pivot_root), CALL(setns), CALL(umount2), CALL(unshare), CALL(get_robust_list), CALL(kcmp), CALL(pidfd_getfd),
    CALL(process_vm_readv), CALL(process_vm_writev), CALL(ptrace), CALL(bpf), CALL(perf_event_open), CALL(seccomp), CALL(userfaultfd),
    CALL(add_key), CALL(keyctl), CALL(request_key), CALL(fanotify_init), CALL(fanotify_mark), CALL(name_to_handle_at),
    CALL(open_by_handle_at), CALL(quotactl), CALL(swapoff), CALL(swapon), CALL(acct), CALL(adjtimex), CALL(clock_adjtime),
    CALL(clock_settime), CALL(delete_module), CALL(finit_module), CALL(init_module), CALL(kexec_load), CALL(setdomainname),
    CALL(sethostname), CALL(settimeofday), CALL(syncfs), CALL(syslog), CALL(mq_open), CALL(mq_unlink), CALL(msgget), CALL(semget),
    CALL(shmget), CALL(shmat), CALL(get_mempolicy), CALL(ioprio_set), CALL(mbind), CALL(migrate_pages), CALL(mincore),
    CALL(move_pages), CALL(readahead), CALL(sched_setattr), CALL(set_mempolicy), CALL(setxattr), CALL(capset), CALL(setgroups),
    CALL(clone3), CALL(vmsplice), CALL(io_setup), CALL(io_uring_setup), CALL(io_uring_enter), CALL(io_uring_register),
    CALL(landlock_create_ruleset), CALL(process_madvise), CALL(remap_file_pages), CALL(memfd_secret),
#ifdef __x86_64__
    CALL(iopl), CALL(ioperm), CALL(modify_ldt),
#endif
};

static void report(const char *name, long result) {
  if (result != -1 || (errno != EPERM && errno != ENOSYS && errno != ENOTSUP)) printf("syscall %s %d\n", name, result == -1 ? errno : 0);
}

static void report_syscall(void) {
  for (size_t i = 0; i < COUNT(refused); i++) report(refused[i].name, syscall(refused[i].number, -1L, -1L, -1L, -1L, -1L, -1L));
  printf("syscalls_tried %zu\n", COUNT(refused));
  // Calls of which some uses are allowed.
  long child = syscall(SYS_clone, (long)(CLONE_NEWUSER | SIGCHLD), 0L, 0L, 0L, 0L);
  if (child == 0) _exit(0);
  report("clone(CLONE_NEWUSER)", child);
  if (child > 0) (void)waitpid((pid_t)child, NULL, 0);
  struct rlimit limit;
  report("prlimit64(1)", syscall(SYS_prlimit64, 1L, (long)RLIMIT_NOFILE, 0L, &limit));
  report("prctl(PR_SET_SECCOMP)", syscall(SYS_prctl, 22L, -1L, 0L, 0L, 0L));
  // The kernel reads the lower half only: a filter that compares the whole value would let this pass.
  report("prctl(PR_SET_SECCOMP, upper half set)", syscall(SYS_prctl, 22L | (1L << 32), -1L, 0L, 0L, 0L));
  report("personality(ADDR_NO_RANDOMIZE)", syscall(SYS_personality, 0x0040000L));
  report("fadvise64(DONTNEED)", syscall(SYS_fadvise64, -1L, 0L, 0L, 4L));
  report("setsockopt(SO_ATTACH_FILTER)", syscall(SYS_setsockopt, -1L, (long)SOL_SOCKET, 26L, 0L, 0L));
}

static void report_network(void) {
  FILE *file = fopen("/proc/net/dev", "r");
  char line[512], name[64];
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    if (strchr(line, ':') != NULL && sscanf(line, " %63[^: ]", name) == 1) printf("interface %s\n", name);
  if (file == NULL) puts("interface unknown");
  else fclose(file);
  static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};
  for (int family = 0; family < 64; family++) {
    bool opened = false;
    for (size_t i = 0; i < COUNT(types); i++) {
      int fd = socket(family, types[i] | SOCK_CLOEXEC, 0);
      if (fd >= 0) (void)close(fd);
      opened = opened || fd >= 0;
    }
    if (opened) printf("socket %d\n", family);
  }
}

#ifdef __x86_64__
static long i386_getpid(void) {
  long result;
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
  return result;
}

static long x32_getpid(void) { return syscall(0x40000000L | SYS_getpid); }

// In a child: the filter kills the calling thread.
static void try_abi(const char *name, long (*call)(void)) {
  (void)fflush(stdout);
  pid_t child = fork();
  if (child == 0) _exit(call() > 0 ? 1 : 0);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0 || (WIFEXITED(status) && WEXITSTATUS(status) != 0)) printf("abi %s\n", name);
}
#endif

static void report_process(void) {
  static const char *const private[] = {"mem", "environ", "maps", "fd", "auxv", "root", "cwd", "exe"};
  for (size_t i = 0; i < COUNT(private); i++) {
    char path[64], target[256];
    (void)snprintf(path, sizeof path, "/proc/1/%s", private[i]);
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    // maps opens for every process, and is empty for one that may not read it.
    bool readable = fd >= 0 && (strcmp(private[i], "maps") != 0 || read(fd, &byte, 1) > 0);
    if (fd >= 0) (void)close(fd);
    if (readable || readlink(path, target, sizeof target) >= 0) printf("pid1 %s\n", private[i]);
  }
  if (syscall(SYS_ptrace, 0x4206L, 1L, 0L, 0L) == 0) puts("pid1 ptrace");
  DIR *dir = opendir("/proc");
  for (struct dirent *entry; dir != NULL && (entry = readdir(dir)) != NULL;) {
    int pid = atoi(entry->d_name);
    if (pid > 1 && pid != getpid()) printf("process %d\n", pid);
  }
  if (dir == NULL) puts("process unknown");
  else closedir(dir);
}

void report_reach(void) {
  report_process();
  report_network();
  report_syscall();
#ifdef __x86_64__
  try_abi("i386", i386_getpid);
  try_abi("x32", x32_getpid);
#endif
}
