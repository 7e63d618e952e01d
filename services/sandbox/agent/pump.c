// Moves bytes without ever blocking: a pipe is read only while the worker reads its frames, and stdin is written only as far as its pipe has room.
#define _GNU_SOURCE
#include "pump.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "program.h"
#include "terminal.h"

static uint8_t ring[STDIN_MAX];
static size_t ring_head, ring_used;
static int stdin_fd = -1;
static bool stdin_terminal, stdin_ending, line_open;
static uint32_t ack_bytes;
static int64_t ack_since_ns;

int64_t now_ns(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

bool channel_ready(const struct channel *channel, int64_t now) {
  return channel->fd >= 0 && now >= channel->rest_until_ns && out_room() > 0;
}

void channel_read(struct channel *channel, int64_t now) {
  long n = out_read(channel->fd, channel->type);
  if (n == 0) close_fd(&channel->fd);
  if (n <= 0) return;
  bool silence = now - channel->rest_until_ns > REST_LONGEST_NS;
  int64_t longer = channel->rest_ns * 2;
  channel->rest_ns = silence ? REST_SHORTEST_NS : longer < REST_LONGEST_NS ? longer : REST_LONGEST_NS;
  channel->rest_until_ns = now + channel->rest_ns;
}

void channel_wake(struct channel *channel) { channel->rest_until_ns = 0; }

bool channel_drain(struct channel *channel) {
  while (channel->fd >= 0 && out_room() > 0) {
    long n = out_read(channel->fd, channel->type);
    if (n > 0 || (n < 0 && errno == EINTR)) continue;
    // EAGAIN with every writer dead: a write end is stuck in a socket that no process can receive from. The pipe stays empty.
    close_fd(&channel->fd);
  }
  return channel->fd < 0;
}

static void acknowledge(size_t bytes) {
  if (bytes == 0) return;
  if (ack_bytes == 0) ack_since_ns = now_ns();
  ack_bytes += (uint32_t)bytes;
}

static void drop_waiting(void) {
  acknowledge(ring_used);
  ring_head = ring_used = 0;
}

void stdin_open(int fd, bool terminal) {
  stdin_fd = fd;
  stdin_terminal = terminal;
  stdin_flush();
}

static void deliver_end(void) {
  if (stdin_terminal) {
    uint8_t bytes[2];
    size_t count = terminal_end_of_file(stdin_fd, line_open, bytes);
    if (write(stdin_fd, bytes, count) < 0 && (errno == EAGAIN || errno == EINTR)) return; // the terminal is full: later
  }
  close_fd(&stdin_fd);
}

void stdin_flush(void) {
  while (stdin_fd >= 0 && ring_used > 0) {
    size_t run = sizeof ring - ring_head < ring_used ? sizeof ring - ring_head : ring_used;
    ssize_t n = write(stdin_fd, ring + ring_head, run);
    if (n == 0) return; // a terminal that is full
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) return;
      close_fd(&stdin_fd); // the program closed its end
      drop_waiting();
      return;
    }
    uint8_t last = ring[ring_head + (size_t)n - 1];
    line_open = last != '\n' && last != '\r';
    ring_head = (ring_head + (size_t)n) % sizeof ring;
    ring_used -= (size_t)n;
    acknowledge((size_t)n);
  }
  if (stdin_fd >= 0 && ring_used == 0 && stdin_ending) deliver_end();
}

bool stdin_put(const uint8_t *bytes, size_t length) {
  if (length > sizeof ring - ring_used) return false;
  if (stdin_fd < 0 || stdin_ending) {
    acknowledge(length);
    return true;
  }
  size_t tail = (ring_head + ring_used) % sizeof ring;
  size_t first = sizeof ring - tail < length ? sizeof ring - tail : length;
  memcpy(ring + tail, bytes, first);
  memcpy(ring, bytes + first, length - first);
  ring_used += length;
  stdin_flush();
  return true;
}

void stdin_end(void) {
  stdin_ending = true;
  stdin_flush();
}

int stdin_waiting_fd(void) { return ring_used > 0 || stdin_ending ? stdin_fd : -1; }

void ack_flush(int64_t now, bool now_or_never) {
  if (ack_bytes == 0) return;
  bool due = now_or_never || out_pending() > 0 || ack_bytes >= ACK_BYTES_MAX || now - ack_since_ns >= ACK_DELAY_NS;
  if (!due) return;
  uint8_t count[4];
  put_u32(count, ack_bytes);
  if (out_room() > 0 && out_control(FRAME_STDIN_ACK, count, sizeof count)) ack_bytes = 0;
}

int64_t ack_due_ns(void) { return ack_bytes == 0 ? INT64_MAX : ack_since_ns + ACK_DELAY_NS; }
