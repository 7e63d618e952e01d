// Preloaded into an interpreter that has no hook of its own: holds it at the first look at its program, until there is one.
//
// `env LD_PRELOAD=/rungrid/gate.so RUNGRID_GATE=/tmp/main.rb ruby /tmp/main.rb`: the interpreter starts up, and comes to open, stat or resolve
// RUNGRID_GATE. There it says on fd 3 that it is up, waits for START (PROTOCOL.md, control socket), closes fd 3 and goes on. Its environment is
// that of a plain start again. With arguments it executes itself anew, plainly: an interpreter has read its command line long before.
// RUNGRID_GATE_IN=beam.smp: the interpreter is reached by way of others; only a program of this name is held.
// RUNGRID_GATE_LAZY=1: the program is opened with fopen early, and read late: the first read waits.
// RUNGRID_GATE_STDIO=1: stdin and stdout of the C library behave as on a terminal: a prompt shows before its answer is read.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONTROL_FD 3
#define HANDOVER_MAX (1u << 17) // the agent bounds it at 65536 bytes of words
#define ARGUMENTS_MAX 2048

static char program[128];
static bool lazy;
static bool waiting; // armed, and nobody has looked yet
// A copy: interpreters that set their title write over the original.
static int own_argc;
static char **own_argv;

extern char **environ;

// Takes a variable out of the environment, and its text out of /proc/self/environ.
static void take_variable(const char *name, char *value, size_t size) {
  char *found = getenv(name);
  if (found == NULL) return;
  if (value != NULL) (void)snprintf(value, size, "%s", found);
  char *start = found - strlen(name) - 1;
  size_t length = strlen(start);
  (void)unsetenv(name);
  memset(start, 0, length);
}

__attribute__((constructor)) static void arm(int argc, char **argv) {
  const char *inside = getenv("RUNGRID_GATE_IN");
  if (getenv("RUNGRID_GATE") == NULL || (inside != NULL && strcmp(inside, program_invocation_short_name) != 0)) return;
  char flag[8] = "", stdio[8] = "";
  take_variable("RUNGRID_GATE", program, sizeof program);
  take_variable("RUNGRID_GATE_LAZY", flag, sizeof flag);
  take_variable("RUNGRID_GATE_STDIO", stdio, sizeof stdio);
  take_variable("RUNGRID_GATE_IN", NULL, 0);
  take_variable("LD_PRELOAD", NULL, 0);
  if (stdio[0] == '1') {
    // Line buffered: a newline flushes, and so does a read of such a stream that asks the kernel for input.
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    (void)setvbuf(stdin, NULL, _IOLBF, BUFSIZ);
  }
  struct stat status;
  waiting = getppid() == 1 && fstat(CONTROL_FD, &status) == 0 && S_ISSOCK(status.st_mode);
  lazy = flag[0] == '1';
  own_argv = waiting ? calloc((size_t)argc + 1, sizeof *own_argv) : NULL;
  for (own_argc = 0; own_argv != NULL && own_argc < argc; own_argc++) own_argv[own_argc] = strdup(argv[own_argc]);
}

static size_t receive(char *words) {
  size_t length = 0;
  ssize_t n;
  while ((n = read(CONTROL_FD, words + length, HANDOVER_MAX - length)) > 0 || (n < 0 && errno == EINTR)) {
    if (n > 0) length += (size_t)n;
    if (length == HANDOVER_MAX) break;
  }
  return length;
}

static void hold(void) {
  static char words[HANDOVER_MAX];
  static char *argv[ARGUMENTS_MAX];
  int saved = errno, count = 0;
  waiting = false;
  if (write(CONTROL_FD, "\n", 1) != 1) _exit(1);
  size_t length = receive(words);
  (void)close(CONTROL_FD);
  for (int i = 0; i < own_argc && count < ARGUMENTS_MAX - 1; i++) argv[count++] = own_argv[i];
  for (char *word = words; word < words + length; word += strlen(word) + 1) {
    if (word[0] == 'E') (void)putenv(word + 1);
    else if (word[0] == 'A' && count < ARGUMENTS_MAX - 1) argv[count++] = word + 1;
  }
  if (count > own_argc) {
    (void)execv("/proc/self/exe", argv);
    _exit(127);
  }
  errno = saved;
}

static inline void look(const char *path) {
  if (waiting && !lazy && path != NULL && strcmp(path, program) == 0) hold();
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define OPEN(name, PARAMETERS, ARGUMENTS)                                                  \
  int name PARAMETERS {                                                                    \
    mode_t mode = 0;                                                                       \
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                                            \
      va_list list;                                                                        \
      va_start(list, flags);                                                               \
      mode = va_arg(list, mode_t);                                                         \
      va_end(list);                                                                        \
    }                                                                                      \
    look(path);                                                                            \
    return REAL(name) ARGUMENTS;                                                           \
  }
OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))
OPEN(openat64, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))

#define LOOK(type, name, PARAMETERS, ARGUMENTS) \
  type name PARAMETERS {                        \
    look(path);                                 \
    return REAL(name) ARGUMENTS;                \
  }
LOOK(int, stat, (const char *restrict path, struct stat *restrict buffer), (path, buffer))
LOOK(int, lstat, (const char *restrict path, struct stat *restrict buffer), (path, buffer))
LOOK(int, stat64, (const char *restrict path, struct stat64 *restrict buffer), (path, buffer))
LOOK(int, lstat64, (const char *restrict path, struct stat64 *restrict buffer), (path, buffer))
LOOK(int, fstatat, (int dir, const char *restrict path, struct stat *restrict buffer, int flags), (dir, path, buffer, flags))
LOOK(int, fstatat64, (int dir, const char *restrict path, struct stat64 *restrict buffer, int flags), (dir, path, buffer, flags))
LOOK(int, statx, (int dir, const char *restrict path, int flags, unsigned mask, struct statx *restrict buffer), (dir, path, flags, mask, buffer))
LOOK(int, access, (const char *path, int mode), (path, mode))
LOOK(int, faccessat, (int dir, const char *path, int mode, int flags), (dir, path, mode, flags))
LOOK(int, euidaccess, (const char *path, int mode), (path, mode))
LOOK(int, eaccess, (const char *path, int mode), (path, mode))
LOOK(char *, realpath, (const char *restrict path, char *restrict resolved), (path, resolved))
LOOK(ssize_t, readlink, (const char *restrict path, char *restrict buffer, size_t size), (path, buffer, size))

// A stream whose first read waits, and opens the program then.
struct late {
  int fd;
};

static ssize_t late_read(void *cookie, char *buffer, size_t size) {
  struct late *late = cookie;
  if (late->fd < 0) {
    if (waiting) hold();
    late->fd = REAL(open)(program, O_RDONLY | O_CLOEXEC);
    if (late->fd < 0) return -1;
  }
  ssize_t n;
  do n = read(late->fd, buffer, size);
  while (n < 0 && errno == EINTR);
  return n;
}

static int late_close(void *cookie) {
  struct late *late = cookie;
  if (late->fd >= 0) (void)close(late->fd);
  free(late);
  return 0;
}

static FILE *open_late(const char *mode) {
  struct late *late = malloc(sizeof *late);
  if (late == NULL) return NULL;
  late->fd = -1;
  return fopencookie(late, mode, (cookie_io_functions_t){.read = late_read, .close = late_close});
}

#define FOPEN(name)                                                                               \
  FILE *name(const char *restrict path, const char *restrict mode) {                              \
    if (waiting && lazy && path != NULL && strcmp(path, program) == 0) return open_late(mode);     \
    look(path);                                                                                   \
    return REAL(name)(path, mode);                                                                \
  }
FOPEN(fopen)
FOPEN(fopen64)
