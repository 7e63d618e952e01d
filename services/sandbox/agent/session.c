// The state machine of the sandbox's one run: START, the handoff to the warm process, the end.
#define _GNU_SOURCE
#include "session.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "frames.h"
#include "program.h"
#include "start.h"

#define VERSION_MAX 256u

struct session session = {
    .state = BOOTING,
    .signal_fd = -1,
    .control_fd = -1,
    .channels = {{-1, FRAME_STDOUT, 0, 0}, {-1, FRAME_STDERR, 0, 0}},
    .terminal = {-1, -1, -1},
};

static struct purpose purpose;
static bool overrun; // the program made more terminals than it may
static pid_t main_pid = -1;
static int main_status;
static bool main_reaped;
// The program's ends become its 0, 1 and 2. Where two are the same terminal or pipe, only one is closed.
static int program_in = -1, program_out = -1, program_err = -1;
static int artifact_fd = -1;
static uint64_t artifact_size;
static struct start start;
static char version[VERSION_MAX];
static size_t version_length;

static void fault(const char *text) {
  if (session.state == DONE) return;
  program_kill_all();
  if (!out_control(FRAME_FAULT, text, strnlen(text, OUT_CONTROL_MAX))) exit(1);
  session.state = DONE;
}

static void fault_errno(const char *what, const char *name) {
  char text[OUT_CONTROL_MAX];
  (void)snprintf(text, sizeof text, "%s %.200s: %s", what, name, strerror(errno));
  fault(text);
}

static void put_u64(uint8_t *at, uint64_t value) {
  put_u32(at, (uint32_t)(value >> 32));
  put_u32(at + 4, (uint32_t)value);
}

static uint64_t micros(struct timeval time) { return (uint64_t)time.tv_sec * 1000000u + (uint64_t)time.tv_usec; }

static void put_status(uint8_t at[2]) {
  at[0] = overrun ? 2 : WIFSIGNALED(main_status) ? 1 : 0;
  at[1] = (uint8_t)(WIFSIGNALED(main_status) ? WTERMSIG(main_status) : WEXITSTATUS(main_status));
}

static void put_usage(uint8_t at[24]) {
  struct rusage usage;
  memset(&usage, 0, sizeof usage);
  (void)getrusage(RUSAGE_CHILDREN, &usage);
  put_u64(at, micros(usage.ru_utime));
  put_u64(at + 8, micros(usage.ru_stime));
  put_u64(at + 16, (uint64_t)usage.ru_maxrss);
}

static void send_last(enum frame_out type, const uint8_t *payload, size_t length) {
  if (!out_control(type, payload, length)) exit(1);
  session.state = DONE;
}

static void send_exit(void) {
  uint8_t payload[26];
  put_status(payload);
  put_usage(payload + 2);
  ack_flush(0, true);
  send_last(FRAME_EXIT, payload, sizeof payload);
}

// Closes the agent's copies of the program's ends, so that EOF and EPIPE come from the program. A terminal stays open until every
// process is dead: reading one that no process has open fails, and a program may open it again.
static void close_program_ends(void) {
  if (purpose.terminal) return;
  if (program_err != program_out) close_fd(&program_err);
  close_fd(&program_in);
  close_fd(&program_out);
}

static void main_started(void) {
  close_program_ends();
  session.state = RUNNING;
  if (!purpose.compiles && !out_control(FRAME_STARTED, NULL, 0)) exit(1);
}

static struct spawn spawn_of(char *const *argv, char *const *env, int control) {
  return (struct spawn){argv, env, program_in, program_out, program_err, control, purpose.terminal};
}

static void spawn_main(char *const *argv, const char *what) {
  struct spawn spawn = spawn_of(argv, start.env, -1);
  main_reaped = false;
  main_pid = program_spawn(&spawn);
  if (main_pid < 0) fault_errno(what, argv[0]);
  else main_started();
}

// Sends the warm process its arguments and environment; it runs the program at EOF.
static void hand_over(void) {
  static char words[HANDOFF_MAX];
  size_t length = start_handoff(&start, words, sizeof words);
  if (length > 0 && send(session.control_fd, words, length, MSG_NOSIGNAL) != (ssize_t)length) {
    fault_errno("the warm process does not take", "its arguments");
    return;
  }
  close_fd(&session.control_fd);
  main_started();
}

// Why this sandbox cannot serve this START. NULL: it can.
static const char *unfit(void) {
  bool has_run = start.run_count > start.arg_count, has_compile = start.compile_count > 0;
  bool warm = session.control_fd >= 0;
  if (has_run && has_compile) return "a run command and a compile command";
  if (purpose.compiles && (has_run || start.artifact[0] == '\0')) return "a sandbox that compiles takes an artifact's name and no run command";
  if (!purpose.compiles && (has_compile || start.artifact[0] != '\0')) return "a sandbox that runs takes no compile step";
  if (warm && (has_run || has_compile)) return "a command given, but a warm process waits";
  if (!warm && !has_run && !has_compile) return "no warm process and no command";
  return NULL;
}

static void begin(const struct frame *frame) {
  if (session.state != READY) {
    fault(session.state == BOOTING ? "START before READY" : "second START");
    return;
  }
  const char *why = start_parse(&start, frame->payload, frame->length);
  if (why != NULL) {
    fault(why);
    return;
  }
  why = unfit();
  if (why != NULL) {
    fault(why);
    return;
  }
  if (purpose.terminal) terminal_resize(&session.terminal, start.columns, start.rows);
  if (session.control_fd >= 0) hand_over();
  else if (purpose.compiles) spawn_main(start.compile, "cannot compile with");
  else spawn_main(start.run, "cannot run");
}

static void send_signal(uint8_t signo) {
  if (signo == 0 || signo >= NSIG) {
    fault("bad signal number");
    return;
  }
  if (session.state != RUNNING) return;
  pid_t foreground = purpose.terminal ? terminal_foreground(&session.terminal) : -1;
  (void)kill(foreground > 1 ? -foreground : -main_pid, signo);
}

static void take_file(const struct frame *frame) {
  const char *why = session.state == READY ? file_append(frame->payload, frame->length) : "FILE after START or before READY";
  if (why != NULL) fault(why);
}

static void serve(const struct frame *frame) {
  switch (frame->type) {
    case FRAME_START: begin(frame); break;
    case FRAME_STDIN:
      if (!stdin_put(frame->payload, frame->length)) fault("more STDIN than the window allows");
      for (size_t i = 0; i < 2; i++) channel_wake(&session.channels[i]);
      break;
    case FRAME_STDIN_CLOSE: stdin_end(); break;
    case FRAME_SIGNAL: send_signal(frame->payload[0]); break;
    case FRAME_RESIZE:
      if (purpose.terminal) terminal_resize(&session.terminal, get_u16(frame->payload), get_u16(frame->payload + 2));
      break;
    case FRAME_FILE: take_file(frame); break;
    case FRAME_KILL: program_kill_all(); break;
    default: break;
  }
}

void session_frames(void) {
  if (!in_fill()) exit(0);
  struct frame frame;
  while (session.state != DONE) {
    enum in_result result = in_next(&frame);
    if (result == IN_BAD) fault("bad frame");
    if (result != IN_FRAME) break;
    serve(&frame);
  }
  if (session.state == DONE) in_discard();
  else in_release();
}

void session_version(void) {
  ssize_t n = read(session.control_fd, version + version_length, sizeof version - version_length);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    close_fd(&session.control_fd); // its SIGCHLD says why
    return;
  }
  version_length += (size_t)n;
  char *end = memchr(version, '\n', version_length);
  if (end == NULL) {
    if (version_length == sizeof version) fault("the warm process sent no version");
    return;
  }
  if (!out_control(FRAME_READY, version, (size_t)(end - version))) exit(1);
  session.state = READY;
}

static void warm_died(void) {
  char text[OUT_CONTROL_MAX], words[600];
  ssize_t n = read(session.channels[session.channels[1].fd >= 0 ? 1 : 0].fd, words, sizeof words - 1);
  words[n > 0 ? n : 0] = '\0';
  bool killed = WIFSIGNALED(main_status);
  (void)snprintf(text, sizeof text, "the warm process ended before START (%s %d): %s", killed ? "signal" : "exit code",
                 killed ? WTERMSIG(main_status) : WEXITSTATUS(main_status), words);
  fault(text);
}

void session_reap(void) {
  struct signalfd_siginfo info[8];
  while (read(session.signal_fd, info, sizeof info) > 0) continue;
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid != main_pid || main_reaped) continue;
    main_reaped = true;
    main_status = status;
  }
  session.everyone_dead = pid < 0 && errno == ECHILD;
  if (!main_reaped || session.state >= ENDING) return;
  if (session.state == BOOTING || session.state == READY) {
    warm_died();
    return;
  }
  session.state = ENDING;
  program_kill_all();
}

// The main process has ended: once every process is dead and every byte is queued, reports how.
void session_end_step(void) {
  if (!session.everyone_dead) {
    program_kill_all();
    session_reap();
  }
  if (!session.everyone_dead) return;
  // The agent had the terminal open last: the rest of its output can now be read to the end.
  if (purpose.terminal) close_fd(&session.terminal.slave);
  bool drained = true;
  for (size_t i = 0; i < 2; i++) drained = channel_drain(&session.channels[i]) && drained;
  if (!drained) return;
  if (!purpose.compiles) {
    send_exit();
  } else if (WIFEXITED(main_status) && WEXITSTATUS(main_status) == 0) {
    artifact_fd = file_open(start.artifact);
    if (artifact_fd < 0) fault_errno("the compile step left no", start.artifact);
    else session.state = SENDING;
  } else {
    uint8_t payload[2];
    put_status(payload);
    send_last(FRAME_COMPILE_FAILED, payload, sizeof payload);
  }
}

void session_send_step(void) {
  while (out_room() > 0) {
    long n = out_read(artifact_fd, FRAME_ARTIFACT);
    if (n < 0) {
      fault_errno("cannot read", start.artifact);
      return;
    }
    artifact_size += (uint64_t)n;
    if (n > 0) continue;
    close_fd(&artifact_fd);
    uint8_t payload[32];
    put_u64(payload, artifact_size);
    put_usage(payload + 8);
    send_last(FRAME_COMPILED, payload, sizeof payload);
    return;
  }
}

static bool open_terminal(void) {
  if (!terminal_open(&session.terminal)) return false;
  int typing = move_up(fcntl(session.terminal.master, F_DUPFD_CLOEXEC, 0));
  if (typing < 0) return false;
  stdin_open(typing, true);
  session.channels[0].fd = session.terminal.master;
  program_in = program_out = program_err = session.terminal.slave;
  return true;
}

static bool open_pipes(void) {
  struct pipe_pair in = {-1, -1}, out = {-1, -1}, err = {-1, -1};
  if (!pipe_open(&in) || !pipe_open(&out)) return false;
  if (!purpose.compiles && !pipe_open(&err)) return false;
  set_nonblocking(in.write_end);
  set_nonblocking(out.read_end);
  if (purpose.compiles) close_fd(&in.write_end); // a compiler has no input: it reads EOF
  else stdin_open(in.write_end, false);
  session.channels[0].fd = out.read_end;
  program_in = in.read_end;
  program_out = program_err = out.write_end;
  if (purpose.compiles) {
    // One pipe: diagnostics keep their order.
    session.channels[0].type = FRAME_COMPILE;
    return true;
  }
  set_nonblocking(err.read_end);
  session.channels[1].fd = err.read_end;
  program_err = err.write_end;
  return true;
}

void session_boot(struct purpose of) {
  purpose = of;
  if (!(purpose.terminal ? open_terminal() : open_pipes())) {
    fault_errno("cannot open", purpose.terminal ? "a terminal" : "pipes");
    return;
  }
  if (purpose.warm == NULL) {
    session.state = READY;
    if (!out_control(FRAME_READY, NULL, 0)) exit(1);
    return;
  }
  int ends[2];
  if (!control_open(ends)) exit(1);
  session.control_fd = ends[0];
  set_nonblocking(session.control_fd);
  struct spawn spawn = spawn_of(purpose.warm, NULL, ends[1]);
  main_pid = program_spawn(&spawn);
  if (main_pid < 0) fault_errno("cannot start the warm process", purpose.warm[0]);
  close_fd(&ends[1]);
  close_program_ends();
}

void session_terminals(void) {
  if (terminal_count_allowed(&session.terminal) || overrun || session.state == DONE) return;
  overrun = true;
  program_kill_all();
}

void session_tampered(void) {
  program_kill_all();
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
  const char text[] = "the program changed the limits of its supervisor";
  if (session.state != DONE && !out_control(FRAME_FAULT, text, sizeof text - 1)) exit(1);
  // Every process is dead, so the agent may block.
  set_blocking(0);
  set_blocking(1);
  if (!out_flush()) exit(0);
  session.state = DONE;
  for (;;) session_frames();
}
