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

// While everything is being killed: how often the kill is repeated and the dead are looked for without a SIGCHLD.
#define REAP_RETRY_NS 20000000

static int64_t earliest(int64_t a, int64_t b) { return a < b ? a : b; }

// Waits until something can be done. Fills in what is ready.
static void wait_for_work(struct pollfd polled[7]) {
  int64_t now = now_ns();
  int64_t wake = session.state == DONE ? INT64_MAX : ack_due_ns();
  polled[0] = (struct pollfd){0, POLLIN, 0};
  polled[1] = (struct pollfd){session.signal_fd, POLLIN, 0};
  polled[2] = (struct pollfd){out_pending() > 0 ? 1 : -1, POLLOUT, 0};
  polled[3] = (struct pollfd){session.state == BOOTING ? session.control_fd : -1, POLLIN, 0};
  polled[4] = (struct pollfd){stdin_waiting_fd(), POLLOUT, 0};
  for (size_t i = 0; i < 2; i++) {
    // COMPILE shares a place with STDOUT: they are never open for reading at once.
    struct channel *channel = &session.channels[i == 0 && session.channels[2].fd >= 0 ? 2 : i];
    bool ready = session.state != DONE && channel_ready(channel, now);
    polled[5 + i] = (struct pollfd){ready ? channel->fd : -1, POLLIN, 0};
    if (session.state != DONE && channel->fd >= 0 && out_room() > 0 && !ready) wake = earliest(wake, channel->rest_until_ns);
  }
  if (session.state == ENDING && !session.everyone_dead) wake = earliest(wake, now + REAP_RETRY_NS);
  if (wake != INT64_MAX && wake < now) wake = now;
  struct timespec left = {(time_t)((wake - now) / 1000000000), (long)((wake - now) % 1000000000)};
  // poll fails for good when the program, which has the agent's uid, lowered the agent's RLIMIT_NOFILE.
  if (ppoll(polled, 7, wake == INT64_MAX ? NULL : &left, NULL) < 0 && errno != EINTR) session_tampered();
}

static void loop(void) {
  for (;;) {
    struct pollfd polled[7];
    wait_for_work(polled);
    if (polled[0].revents) session_frames();
    if (polled[4].revents) stdin_flush();
    int64_t now = now_ns();
    for (size_t i = 0; i < 3; i++) {
      struct channel *channel = &session.channels[i];
      bool woken = (polled[5].revents && polled[5].fd == channel->fd) || (polled[6].revents && polled[6].fd == channel->fd);
      if (woken && channel_ready(channel, now)) channel_read(channel, now);
    }
    if (polled[3].revents && session.state == BOOTING) session_version();
    if (polled[1].revents) session_reap();
    if (session.state == ENDING) session_end_step();
    if (session.state != DONE) ack_flush(now, false);
    if (!out_flush()) _exit(0);
  }
}

int main(int argc, char **argv) {
  // Anywhere else kill(-1) would end processes that are not ours.
  if (getpid() != 1) {
    (void)fprintf(stderr, "rungrid agent: runs as PID 1 of a sandbox only\n");
    return 2;
  }
  session.signal_fd = program_setup();
  if (session.signal_fd < 0) return 1;
  bool warm = argc > 2 && strcmp(argv[1], "--warm") == 0;
  if (argc > 1 && !warm) return 2;
  set_nonblocking(0);
  set_nonblocking(1);
  session_boot(warm ? argv + 2 : NULL);
  if (!out_flush()) return 0;
  loop();
}
