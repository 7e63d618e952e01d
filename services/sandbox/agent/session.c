// START, the hand-over, the end: the state machine of the sandbox's one run.
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
    .channels = {{-1, FRAME_STDOUT, 0, 0}, {-1, FRAME_STDERR, 0, 0}, {-1, FRAME_COMPILE, 0, 0}},
};

static bool ending_compile; // ENDING belongs to the compile step
static pid_t main_pid = -1;
static int main_status;
static bool main_reaped;
static struct pipe_pair in_pipe = {-1, -1}, out_pipe = {-1, -1}, err_pipe = {-1, -1};
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
  at[0] = WIFSIGNALED(main_status) ? 1 : 0;
  at[1] = (uint8_t)(WIFSIGNALED(main_status) ? WTERMSIG(main_status) : WEXITSTATUS(main_status));
}

static void send_exit(void) {
  uint8_t payload[26];
  struct rusage usage;
  memset(&usage, 0, sizeof usage);
  (void)getrusage(RUSAGE_CHILDREN, &usage);
  put_status(payload);
  put_u64(payload + 2, micros(usage.ru_utime));
  put_u64(payload + 10, micros(usage.ru_stime));
  put_u64(payload + 18, (uint64_t)usage.ru_maxrss);
  ack_flush(0, true);
  if (!out_control(FRAME_EXIT, payload, sizeof payload)) exit(1);
  session.state = DONE;
}

// The agent's copies of the program's ends go, so that EOF and EPIPE mean the program.
static void close_program_ends(void) {
  close_fd(&in_pipe.read_end);
  close_fd(&out_pipe.write_end);
  close_fd(&err_pipe.write_end);
}

static void program_started(void) {
  session.channels[0].fd = out_pipe.read_end;
  session.channels[1].fd = err_pipe.read_end;
  session.state = RUNNING;
  if (!out_control(FRAME_STARTED, NULL, 0)) exit(1);
}

static void run_program(void) {
  struct spawn spawn = {start.run, start.env, in_pipe.read_end, out_pipe.write_end, err_pipe.write_end, -1};
  main_reaped = false;
  main_pid = program_spawn(&spawn);
  if (main_pid < 0) {
    fault_errno("can't run", start.run[0]);
    return;
  }
  close_program_ends();
  program_started();
}

static void compile_program(void) {
  struct pipe_pair pipe = {-1, -1};
  int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  if (nothing < 0 || !pipe_open(&pipe)) {
    fault_errno("can't compile", "");
    return;
  }
  set_nonblocking(pipe.read_end);
  struct spawn spawn = {start.compile, start.env, nothing, pipe.write_end, pipe.write_end, -1};
  main_reaped = false;
  main_pid = program_spawn(&spawn);
  if (main_pid < 0) fault_errno("can't compile with", start.compile[0]);
  close_fd(&nothing);
  close_fd(&pipe.write_end);
  session.channels[2].fd = pipe.read_end;
  if (session.state != DONE) session.state = COMPILING;
}

// Tells the warm process its arguments and environment; it runs the program when it sees EOF.
static void hand_over(void) {
  static char words[HANDOVER_MAX];
  size_t length = start_handover(&start, words, sizeof words);
  if (length > 0 && send(session.control_fd, words, length, MSG_NOSIGNAL) != (ssize_t)length) {
    fault_errno("the warm process does not take", "its arguments");
    return;
  }
  close_fd(&session.control_fd);
  program_started();
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
  bool has_run = start.run_count > start.arg_count;
  if (has_run == (session.control_fd >= 0)) {
    fault(has_run ? "run command given, but a warm process waits" : "no warm process and no run command");
  } else if (start.compile_count > 0 && !has_run) {
    fault("compile command for a warm process");
  } else if (start.compile_count > 0) {
    compile_program();
  } else if (has_run) {
    run_program();
  } else {
    hand_over();
  }
}

static void serve(const struct frame *frame) {
  switch (frame->type) {
    case FRAME_START: begin(frame); break;
    case FRAME_STDIN:
      if (!stdin_put(frame->payload, frame->length)) fault("more STDIN than the window allows");
      for (size_t i = 0; i < 2; i++) channel_wake(&session.channels[i]);
      break;
    case FRAME_STDIN_CLOSE: stdin_end(); break;
    case FRAME_SIGNAL:
      if (frame->payload[0] == 0 || frame->payload[0] >= NSIG) fault("bad signal number");
      else if (session.state == RUNNING) (void)kill(-main_pid, frame->payload[0]);
      break;
    case FRAME_KILL: program_kill_all(); break;
    default: break; // RESIZE: no terminal
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
  ssize_t n = read(err_pipe.read_end, words, sizeof words - 1);
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
  if (!main_reaped || session.state == DONE || session.state == ENDING) return;
  if (session.state == BOOTING || session.state == READY) {
    warm_died();
    return;
  }
  ending_compile = session.state == COMPILING;
  session.state = ENDING;
  program_kill_all();
}

// The main process is over: when every process is dead and every byte is queued, says how it ended.
void session_end_step(void) {
  if (!session.everyone_dead) {
    program_kill_all();
    session_reap();
  }
  if (!session.everyone_dead) return;
  bool drained = true;
  for (size_t i = 0; i < 3; i++) drained = channel_drain(&session.channels[i]) && drained;
  if (!drained) return;
  if (!ending_compile) {
    send_exit();
  } else if (WIFEXITED(main_status) && WEXITSTATUS(main_status) == 0) {
    run_program();
  } else {
    uint8_t payload[2];
    put_status(payload);
    if (!out_control(FRAME_COMPILE_FAILED, payload, sizeof payload)) exit(1);
    session.state = DONE;
  }
}

void session_boot(char **warm_argv) {
  bool open = pipe_open(&in_pipe) && pipe_open(&out_pipe) && pipe_open(&err_pipe);
  if (!open) exit(1);
  set_nonblocking(in_pipe.write_end);
  set_nonblocking(out_pipe.read_end);
  set_nonblocking(err_pipe.read_end);
  stdin_open(in_pipe.write_end);
  if (warm_argv == NULL) {
    session.state = READY;
    if (!out_control(FRAME_READY, NULL, 0)) exit(1);
    return;
  }
  int ends[2];
  if (!control_open(ends)) exit(1);
  session.control_fd = ends[0];
  set_nonblocking(session.control_fd);
  struct spawn spawn = {warm_argv, NULL, in_pipe.read_end, out_pipe.write_end, err_pipe.write_end, ends[1]};
  main_pid = program_spawn(&spawn);
  if (main_pid < 0) fault_errno("can't start the warm process", warm_argv[0]);
  close_fd(&ends[1]);
  close_program_ends();
}

void session_tampered(void) {
  program_kill_all();
  while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) continue;
  const char text[] = "the program changed the limits of its supervisor";
  if (session.state != DONE && !out_control(FRAME_FAULT, text, sizeof text - 1)) exit(1);
  // Everything is dead, so blocking hurts nobody any more.
  set_blocking(0);
  set_blocking(1);
  if (!out_flush()) exit(0);
  session.state = DONE;
  for (;;) session_frames();
}
