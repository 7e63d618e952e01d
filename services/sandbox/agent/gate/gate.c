// Preloaded into an interpreter without a hook of its own: holds it at its first look at the program file until START has brought the program.
//
// `env LD_PRELOAD=/rungrid/gate.so RUNGRID_GATE=/tmp/main.rb ruby /tmp/main.rb`: the interpreter starts up, then opens, stats or resolves
// RUNGRID_GATE. There the gate reports on fd 3 that the interpreter is up, waits for START (PROTOCOL.md, control socket), closes fd 3 and lets it
// continue, with the environment of a plain start. With arguments or environment entries it executes the interpreter again without the gate:
// by then it has read both.
// RUNGRID_GATE_LAZY=1: the program is opened with fopen early, and read late: the first read waits.
// RUNGRID_GATE_RUBY: a file that Ruby reads in place of its program. Ruby parses the program, loads its gems, then resolves the program's path:
// the gate waits only there, and then runs the real program.
// RUNGRID_GATE_STDIO=1: stdin and stdout of the C library behave as on a terminal: a prompt shows before its answer is read.
// RUNGRID_GATE_SEPARATOR: an argument to put before the program's own, when there are any.
// RUNGRID_GATE_ARGUMENTS: a function of the interpreter, (int, char **), that takes another command line: the interpreter then need not be executed again for arguments.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CONTROL_FD 3
#define HANDOFF_MAX (1u << 17) // the agent's limit is 65536 bytes of strings
#define WORDS_MAX 4096          // and 1024 of each kind, on top of a manifest's

static char program[128], separator[16], arguments_function[64], stand_in[128];
static bool lazy, stdio;
static bool waiting; // armed, and the program was not looked at yet
// What a plain start has. Copies: interpreters change their environment, and write over their command line.
static char *argv_copy[WORDS_MAX], *env_copy[WORDS_MAX];
static int argv_count, env_count;

extern char **environ;

// Appends to a list, which stays NULL-terminated.
static void add(char **list, int *count, char *word) {
  if (*count < WORDS_MAX - 1) list[(*count)++] = word;
}

// Not with getenv and unsetenv: bash has its own, over its own tables.
static char **find_variable(char **list, const char *name, size_t length) {
  for (; list != NULL && *list != NULL; list++)
    if (strncmp(*list, name, length) == 0 && (*list)[length] == '=') return list;
  return NULL;
}

// Removes a variable from the environment, and its text from /proc/self/environ.
static void take_variable(const char *name, char *value, size_t size) {
  char **entry = find_variable(environ, name, strlen(name));
  if (entry == NULL) return;
  if (value != NULL) (void)snprintf(value, size, "%s", *entry + strlen(name) + 1);
  memset(*entry, 0, strlen(*entry));
  do entry[0] = entry[1];
  while (*entry++ != NULL);
}

__attribute__((constructor)) static void arm(int argc, char **argv) {
  take_variable("RUNGRID_GATE", program, sizeof program);
  if (program[0] == '\0') return;
  char lazy_flag[8] = "", stdio_flag[8] = "";
  take_variable("RUNGRID_GATE_LAZY", lazy_flag, sizeof lazy_flag);
  take_variable("RUNGRID_GATE_STDIO", stdio_flag, sizeof stdio_flag);
  take_variable("RUNGRID_GATE_SEPARATOR", separator, sizeof separator);
  take_variable("RUNGRID_GATE_ARGUMENTS", arguments_function, sizeof arguments_function);
  take_variable("RUNGRID_GATE_RUBY", stand_in, sizeof stand_in);
  take_variable("LD_PRELOAD", NULL, 0);
  stdio = stdio_flag[0] == '1';
  if (stdio) {
    // Line buffered: a newline flushes, and so does a read of such a stream that asks the kernel for input.
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    (void)setvbuf(stdin, NULL, _IOLBF, BUFSIZ);
  }
  struct stat status;
  waiting = getppid() == 1 && fstat(CONTROL_FD, &status) == 0 && S_ISSOCK(status.st_mode);
  lazy = lazy_flag[0] == '1';
  if (!waiting) return;
  for (int i = 0; i < argc; i++) add(argv_copy, &argv_count, strdup(argv[i]));
  for (char **entry = environ; entry != NULL && *entry != NULL; entry++) add(env_copy, &env_count, strdup(*entry));
}

static size_t receive(char *words) {
  size_t length = 0;
  ssize_t n;
  while ((n = read(CONTROL_FD, words + length, HANDOFF_MAX - length)) > 0 || (n < 0 && errno == EINTR)) {
    if (n > 0) length += (size_t)n;
    if (length == HANDOFF_MAX) break;
  }
  return length;
}

static bool adopt_arguments(void) {
  void (*take)(int, char **) = NULL;
  if (arguments_function[0] != '\0') *(void **)&take = dlsym(RTLD_DEFAULT, arguments_function);
  if (take != NULL) take(argv_count, argv_copy);
  return take != NULL;
}

// Resets the start time that an interpreter noted: bash's SECONDS, R's proc.time().
static void begin_now(void) {
  time_t *bash = dlsym(RTLD_DEFAULT, "shell_start_time");
  if (bash != NULL) *bash = time(NULL);
  void (*r)(void);
  *(void **)&r = dlsym(RTLD_DEFAULT, "R_setStartTime");
  if (r != NULL) r();
}

// Executes the interpreter again, as the agent starts a program (become in program.c), so that nothing before it leaves a trace.
static _Noreturn void execute_again(void) {
  static char preload[] = "LD_PRELOAD=/rungrid/gate.so", nothing[] = "RUNGRID_GATE=-", stdio_on[] = "RUNGRID_GATE_STDIO=1";
  // Without a control socket the gate holds nothing, and only prepares stdin and stdout.
  for (char **entry = (char *[]){preload, nothing, stdio_on, NULL}; stdio && *entry != NULL; entry++)
    add(env_copy, &env_count, *entry);
  for (int signo = 1; signo < NSIG; signo++) (void)signal(signo, SIG_DFL);
  sigset_t none;
  (void)sigemptyset(&none);
  (void)sigprocmask(SIG_SETMASK, &none, NULL);
  (void)execvpe(argv_copy[0], argv_copy, env_copy);
  _exit(127);
}

static void hold(void) {
  static char words[HANDOFF_MAX];
  int saved = errno, own_count = argv_count;
  bool new_environment = false;
  waiting = false;
  if (write(CONTROL_FD, "\n", 1) != 1) _exit(1);
  const char *end = words + receive(words);
  (void)close(CONTROL_FD);
  for (char *word = words; word < end; word += strlen(word) + 1) {
    if (word[0] == 'E') {
      char **old = find_variable(env_copy, word + 1, strcspn(word + 1, "="));
      if (old != NULL) *old = word + 1;
      else add(env_copy, &env_count, word + 1);
      new_environment = true;
    } else {
      if (argv_count == own_count && separator[0] != '\0') add(argv_copy, &argv_count, separator);
      add(argv_copy, &argv_count, word + 1);
    }
  }
  if (new_environment || (argv_count > own_count && !adopt_arguments())) execute_again();
  begin_now();
  errno = saved;
}

// What Ruby does after its look: compiles the program and runs it as the main one; DATA is the rest of the file, as usual. Unlike a plain start,
// TOPLEVEL_BINDING does not know the program's local variables, and $-p, $-l and $-a are nil, not false.
static unsigned long (*ruby_evaluate)(unsigned long);

static unsigned long ruby_main(unsigned long iseq) {
  return ruby_evaluate(iseq);
}

static _Noreturn void run_ruby(void) {
  static const char compile[] =
      "-> do\n"
      "  $LOADED_FEATURES.reject! { |name| name.start_with?('/rungrid/') }\n"
      "  code = File.binread(path = '/tmp/main.rb')[/\\A.*?^__END__\\r?(\\n|\\z)/m]\n"
      "  Object.const_set(:DATA, File.open(path).tap { |file| file.seek(code.bytesize) }) if code\n"
      "  RubyVM::InstructionSequence.compile_file(path)\n"
      "rescue SyntaxError\n"
      "  $!.set_backtrace([path])\n"
      "  raise\n"
      "end.call\n";
  unsigned long (*evaluate)(const char *, int *), (*unwrap)(unsigned long);
  unsigned long (*protect)(unsigned long (*)(unsigned long), unsigned long, int *);
  int (*cleanup)(int), state = 0;
  *(void **)&evaluate = dlsym(RTLD_DEFAULT, "rb_eval_string_protect");
  *(void **)&unwrap = dlsym(RTLD_DEFAULT, "rb_iseqw_to_iseq");
  *(void **)&protect = dlsym(RTLD_DEFAULT, "rb_protect");
  *(void **)&ruby_evaluate = dlsym(RTLD_DEFAULT, "rb_iseq_eval");
  *(void **)&cleanup = dlsym(RTLD_DEFAULT, "ruby_cleanup");
  if (!evaluate || !unwrap || !protect || !ruby_evaluate || !cleanup) execute_again();
  unsigned long wrapped = evaluate(compile, &state);
  if (state == 0) (void)protect(ruby_main, unwrap(wrapped), &state);
  exit(cleanup(state));
}

static inline bool is_program(const char *path) {
  return path != NULL && strcmp(path, program) == 0;
}

static inline void look(const char *path) {
  if (waiting && !lazy && is_program(path)) {
    hold();
    if (stand_in[0] != '\0') run_ruby();
  }
}

// The C library's own function, looked up once: after a fork the thread that held the lookup's lock may not exist.
#define REAL(name)                                                          \
  static __typeof__(&name) real_##name;                                     \
  __attribute__((constructor)) static void find_##name(void) {              \
    if (real_##name == NULL) *(void **)&real_##name = dlsym(RTLD_NEXT, #name); \
  }

#define OPEN(name, PARAMETERS, ARGUMENTS)                                                  \
  REAL(name)                                                                               \
  int name PARAMETERS {                                                                    \
    mode_t mode = 0;                                                                       \
    if ((flags & (O_CREAT | O_TMPFILE)) != 0) {                                            \
      va_list list;                                                                        \
      va_start(list, flags);                                                               \
      mode = va_arg(list, mode_t);                                                         \
      va_end(list);                                                                        \
    }                                                                                      \
    if (waiting && stand_in[0] != '\0' && is_program(path)) path = stand_in;                \
    look(path);                                                                            \
    find_##name();                                                                         \
    return real_##name ARGUMENTS;                                                          \
  }
OPEN(open, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))
OPEN(openat64, (int dir, const char *path, int flags, ...), (dir, path, flags, mode))

#define LOOK(type, name, PARAMETERS, ARGUMENTS) \
  REAL(name)                                    \
  type name PARAMETERS {                        \
    look(path);                                 \
    find_##name();                              \
    return real_##name ARGUMENTS;               \
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

// A stream whose first read waits for the program, then opens it.
struct late {
  int fd;
};

static ssize_t late_read(void *cookie, char *buffer, size_t size) {
  struct late *late = cookie;
  if (late->fd < 0) {
    if (waiting) hold();
    late->fd = real_open(program, O_RDONLY | O_CLOEXEC);
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
  REAL(name)                                                                                      \
  FILE *name(const char *restrict path, const char *restrict mode) {                              \
    if (waiting && lazy && is_program(path)) return open_late(mode);                               \
    look(path);                                                                                   \
    find_##name();                                                                                \
    return real_##name(path, mode);                                                               \
  }
FOPEN(fopen)
FOPEN(fopen64)
