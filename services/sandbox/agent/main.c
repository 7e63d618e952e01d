// PID 1 of a sandbox: runs one program once and speaks PROTOCOL.md on fd 0 and fd 1. One thread, one poll loop, no allocation.
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "frames.h"
#include "program.h"
#include "pump.h"
#include "session.h"

// While everything is being killed: how often the agent repeats the kill and reaps without a SIGCHLD.
#define REAP_RETRY_NS 20000000

static int64_t earliest(int64_t a, int64_t b) { return a < b ? a : b; }

enum { WORKER_IN, SIGNALS, WORKER_OUT, CONTROL, STDIN, CHANNELS, TERMINALS = CHANNELS + 2, POLLED };

// Whether the program's output is read now: none may be sent before START.
static bool channels_live(void) { return session.state == RUNNING || session.state == ENDING; }

// Waits until a descriptor is ready or a timer is due. Fills in which.
static void wait_for_work(struct pollfd polled[POLLED]) {
  int64_t now = now_ns();
  int64_t wake = session.state == DONE ? INT64_MAX : ack_due_ns();
  polled[WORKER_IN] = (struct pollfd){0, POLLIN, 0};
  polled[SIGNALS] = (struct pollfd){session.signal_fd, POLLIN, 0};
  polled[WORKER_OUT] = (struct pollfd){out_pending() > 0 ? 1 : -1, POLLOUT, 0};
  polled[CONTROL] = (struct pollfd){session.state == BOOTING ? session.control_fd : -1, POLLIN, 0};
  polled[STDIN] = (struct pollfd){stdin_waiting_fd(), POLLOUT, 0};
  polled[TERMINALS] = (struct pollfd){session.terminal.watch_fd, POLLIN, 0};
  for (size_t i = 0; i < 2; i++) {
    struct channel *channel = &session.channels[i];
    bool ready = channels_live() && channel_ready(channel, now);
    polled[CHANNELS + i] = (struct pollfd){ready ? channel->fd : -1, POLLIN, 0};
    if (channels_live() && channel->fd >= 0 && out_room() > 0 && !ready) wake = earliest(wake, channel->rest_until_ns);
  }
  if (session.state == ENDING && !session.everyone_dead) wake = earliest(wake, now + REAP_RETRY_NS);
  if (session.state == SENDING && out_room() > 0) wake = now;
  if (wake != INT64_MAX && wake < now) wake = now;
  struct timespec left = {(time_t)((wake - now) / 1000000000), (long)((wake - now) % 1000000000)};
  // poll fails for good when the program, which has the agent's uid, lowered the agent's RLIMIT_NOFILE.
  if (ppoll(polled, POLLED, wake == INT64_MAX ? NULL : &left, NULL) < 0 && errno != EINTR) session_tampered();
}

static void loop(void) {
  for (;;) {
    struct pollfd polled[POLLED];
    wait_for_work(polled);
    if (polled[WORKER_IN].revents) session_frames();
    if (polled[STDIN].revents) stdin_flush();
    int64_t now = now_ns();
    for (size_t i = 0; i < 2; i++) {
      struct channel *channel = &session.channels[i];
      if (polled[CHANNELS + i].revents && channel_ready(channel, now)) channel_read(channel, now);
    }
    if (polled[CONTROL].revents && session.state == BOOTING) session_version();
    if (polled[SIGNALS].revents) session_reap();
    if (polled[TERMINALS].revents) session_terminals();
    if (session.state == ENDING) session_end_step();
    if (session.state == SENDING) session_send_step();
    if (session.state != DONE) ack_flush(now, false);
    if (!out_flush()) _exit(0);
  }
}

// [--compile | --tty] [--warm ARGV0 ARGV...]. False: any other command line.
static bool read_purpose(struct purpose *purpose, int argc, char **argv) {
  int at = 1;
  if (at < argc && strcmp(argv[at], "--compile") == 0) {
    purpose->compiles = true;
    at++;
  } else if (at < argc && strcmp(argv[at], "--tty") == 0) {
    purpose->terminal = true;
    at++;
  }
  if (at == argc) return true;
  purpose->warm = argv + at + 1;
  return strcmp(argv[at], "--warm") == 0 && at + 1 < argc;
}

int main(int argc, char **argv) {
  // Anywhere else kill(-1) would end processes that are not ours.
  if (getpid() != 1) {
    (void)fprintf(stderr, "rungrid agent: runs as PID 1 of a sandbox only\n");
    return 2;
  }
  session.signal_fd = program_setup();
  if (session.signal_fd < 0) return 1;
  struct purpose purpose = {false, false, NULL};
  if (!read_purpose(&purpose, argc, argv)) return 2;
  set_nonblocking(0);
  set_nonblocking(1);
  session_boot(purpose);
  if (!out_flush()) return 0;
  loop();
}
