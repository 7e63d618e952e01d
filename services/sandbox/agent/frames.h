// Frames to and from the worker: the bounded input buffer (fd 0) and the bounded output buffer (fd 1).
#ifndef RUNGRID_FRAMES_H
#define RUNGRID_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum frame_in {
  FRAME_START = 1,
  FRAME_STDIN = 2,
  FRAME_STDIN_CLOSE = 3,
  FRAME_RESIZE = 4,
  FRAME_SIGNAL = 5,
  FRAME_KILL = 6,
  FRAME_FILE = 7,
};

enum frame_out {
  FRAME_READY = 129,
  FRAME_STDOUT = 130,
  FRAME_STDERR = 131,
  FRAME_EXIT = 132,
  FRAME_COMPILE = 133,
  FRAME_STARTED = 134,
  FRAME_STDIN_ACK = 135,
  FRAME_COMPILE_FAILED = 136,
  FRAME_FAULT = 137,
  FRAME_ARTIFACT = 138,
  FRAME_COMPILED = 139,
};

#define FRAME_HEADER 5u
#define START_MAX (1u << 20)
#define STDIN_MAX 65536u
// flags, name, NUL and 65536 bytes of content.
#define FILE_MAX (1u + 64u + 1u + 65536u)

struct frame {
  uint8_t type;
  uint32_t length;
  const uint8_t *payload; // valid until the next in_fill()
};

enum in_result { IN_NONE, IN_FRAME, IN_BAD };

void put_u32(uint8_t *at, uint32_t value);
uint32_t get_u32(const uint8_t *at);
uint16_t get_u16(const uint8_t *at);

// Reads once from fd 0. False when the worker has disconnected.
bool in_fill(void);
// The next whole frame, if there is one. IN_BAD: an unknown type, or a length that the type does not allow.
enum in_result in_next(struct frame *frame);
// Gives the pages of a large START back to the kernel (they count against the program's memory). Only between frames.
void in_release(void);
// Drops everything read so far.
void in_discard(void);

// Queues one control frame (at most OUT_CONTROL_MAX bytes of payload). False: no room, nothing was queued.
#define OUT_CONTROL_MAX 1024u
bool out_control(enum frame_out type, const void *payload, size_t length);
// Bytes of pipe data that may be queued now; 0 while the worker reads too slowly.
size_t out_room(void);
// Reads once from a pipe or file straight into a frame. Result of read(): >0, 0 at EOF, -1 with errno. Needs out_room() > 0.
long out_read(int fd, enum frame_out type);
size_t out_pending(void);
// Writes what fd 1 takes without blocking. False when the worker has disconnected.
bool out_flush(void);

#endif
