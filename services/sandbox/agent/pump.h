// Bytes between the program's pipes and the worker's frames: output channels and the bounded stdin buffer.
#ifndef RUNGRID_PUMP_H
#define RUNGRID_PUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frames.h"

// After a read a pipe rests, so that a flood of tiny writes becomes few frames. The rest is short after a silence or after
// input, since a line often comes as two writes, and doubles while output goes on. 64 KiB per longest rest is 32 MB/s.
#define REST_SHORTEST_NS 100000
#define REST_LONGEST_NS 2000000
// An acknowledgement waits for output to travel with, but no longer than this, and not while the worker's window may run dry.
#define ACK_DELAY_NS 10000000
#define ACK_BYTES_MAX 8192u

struct channel {
  int fd; // -1: closed
  enum frame_out type;
  int64_t rest_ns, rest_until_ns;
};

int64_t now_ns(void);

// True when the channel may be read now: open, rested, and the worker reads fast enough.
bool channel_ready(const struct channel *channel, int64_t now);
// Reads once. Closes the channel at EOF.
void channel_read(struct channel *channel, int64_t now);
// The program got input: its answer is read at once.
void channel_wake(struct channel *channel);
// After every writer is dead: reads as much as the worker takes. True when the channel is drained and closed.
bool channel_drain(struct channel *channel);

// stdin of the program, a pipe or the master of its terminal: at most STDIN_MAX bytes wait here.
void stdin_open(int fd, bool terminal);
// False when the worker sent more than its window of unacknowledged bytes.
bool stdin_put(const uint8_t *bytes, size_t length);
// EOF after what was sent: the pipe is closed, or the terminal's end-of-file character is typed.
void stdin_end(void);
// Writes what the pipe takes.
void stdin_flush(void);
// The descriptor to poll for writing, or -1 when nothing waits.
int stdin_waiting_fd(void);
// Queues STDIN_ACK when it is due, or at once when `now_or_never` or when other output travels anyway.
void ack_flush(int64_t now, bool now_or_never);
// When ack_flush() has something to do; INT64_MAX: never.
int64_t ack_due_ns(void);

#endif
