// Starting and killing processes. Children see only what is listed here: descriptors 0-2 (3), default signals, no agent memory.
#define _GNU_SOURCE
#include "program.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_AGENT_FD 10
#define ENV_MAX 2048u
#define SPAWN_FAILED 127

extern char **environ;

static void close_inherited(void) {
  // A runtime that leaks a descriptor (as runc once did with a host directory) must not hand it to the program.
  if (syscall(SYS_close_range, 3u, ~0u, 0u) == 0) return;
  struct rlimit limit;
  int top = getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 65536 ? (int)limit.rlim_cur : 65536;
  for (int fd = 3; fd < top; fd++) (void)close(fd);
}

int program_setup(void) {
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return -1;
  close_inherited();
  (void)umask(022);
  // As PID 1 every signal with a default disposition is ignored, SIGKILL and SIGSTOP from inside too; only SIGCHLD is needed.
  if (signal(SIGPIPE, SIG_IGN) == SIG_ERR) return -1;
  sigset_t chld;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  if (sigprocmask(SIG_SETMASK, &chld, NULL) != 0) return -1;
  return signalfd(-1, &chld, SFD_NONBLOCK | SFD_CLOEXEC);
}

int move_up(int fd) {
  if (fd < 0 || fd >= FIRST_AGENT_FD) return fd;
  int high = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_AGENT_FD);
  int error = errno;
  (void)close(fd);
  errno = error;
  return high;
}

bool pipe_open(struct pipe_pair *pair) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  pair->read_end = move_up(ends[0]);
  pair->write_end = move_up(ends[1]);
  return pair->read_end >= 0 && pair->write_end >= 0;
}

bool control_open(int ends[2]) {
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return false;
  ends[0] = move_up(ends[0]);
  ends[1] = move_up(ends[1]);
  return ends[0] >= 0 && ends[1] >= 0;
}

void set_nonblocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0) (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void set_blocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0) (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

void close_fd(int *fd) {
  if (*fd >= 0) (void)close(*fd);
  *fd = -1;
}

static bool same_key(const char *a, const char *b) {
  size_t length = strcspn(a, "=");
  return strncmp(a, b, length) == 0 && b[length] == '=';
}

static bool add_env(char **env, size_t *count, char *entry) {
  for (size_t i = 0; i < *count; i++) {
    if (same_key(entry, env[i])) {
      env[i] = entry;
      return true;
    }
  }
  if (*count == ENV_MAX) return false;
  env[(*count)++] = entry;
  env[*count] = NULL;
  return true;
}

static void reset_signals(void) {
  struct sigaction plain = {.sa_handler = SIG_DFL};
  for (int signo = 1; signo < NSIG; signo++) (void)sigaction(signo, &plain, NULL);
  sigset_t none;
  sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void volunteer_for_oom(void) {
  // /proc/self belongs to root while the process is not dumpable. The copy of the agent's memory in this child holds nothing
  // secret, and no untrusted process lives at this moment.
  (void)prctl(PR_SET_DUMPABLE, 1);
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  if (write(fd, "1000", 4) != 4) errno = 0; // the program then shares the agent's own adjustment: less good, not wrong
  (void)close(fd);
}

static _Noreturn void become(const struct spawn *spawn, int status_fd) {
  static char *env[ENV_MAX + 1];
  size_t env_count = 0;
  bool fits = true;
  for (char **entry = environ; *entry != NULL; entry++) fits = add_env(env, &env_count, *entry) && fits;
  // What the visitor's page shows (xterm.js): colors, cursor movements, UTF-8.
  static char terminal_type[] = "TERM=xterm-256color";
  if (spawn->terminal) fits = add_env(env, &env_count, terminal_type) && fits;
  for (char *const *entry = spawn->extra_env; entry != NULL && *entry != NULL; entry++)
    fits = add_env(env, &env_count, *entry) && fits;
  reset_signals();
  (void)setsid();
  const struct rlimit no_core = {0, 0};
  (void)setrlimit(RLIMIT_CORE, &no_core);
  volunteer_for_oom();
  // dup2 clears close-on-exec; everything else the agent holds keeps it.
  bool ready = fits && chdir("/tmp") == 0 && dup2(spawn->stdin_fd, 0) == 0 && dup2(spawn->stdout_fd, 1) == 1 &&
               dup2(spawn->stderr_fd, 2) == 2 && (spawn->control_fd < 0 || dup2(spawn->control_fd, 3) == 3) &&
               (!spawn->terminal || ioctl(0, TIOCSCTTY, 0) == 0);
  if (ready) {
    environ = env;
    execvp(spawn->argv[0], spawn->argv);
  }
  int error = fits ? errno : E2BIG;
  if (write(status_fd, &error, sizeof error) != sizeof error) _exit(SPAWN_FAILED);
  _exit(SPAWN_FAILED);
}

pid_t program_spawn(const struct spawn *spawn) {
  struct pipe_pair status;
  if (!pipe_open(&status)) return -1;
  pid_t pid = fork();
  if (pid == 0) become(spawn, status.write_end);
  int error = pid < 0 ? errno : 0;
  close_fd(&status.write_end);
  // Ends with the exec (EOF) or its error: only the agent's own code runs in the child until then.
  ssize_t n;
  while (pid > 0 && (n = read(status.read_end, &error, sizeof error)) < 0 && errno == EINTR) continue;
  close_fd(&status.read_end);
  if (error == 0) return pid;
  if (pid > 0) (void)waitpid(pid, NULL, 0);
  errno = error;
  return -1;
}

void program_kill_all(void) {
  // Atomic against fork: a process that is forking when the signal is sent fails its fork.
  (void)kill(-1, SIGKILL);
}
