// Framing: `type u8, length u32 big-endian, payload`, without allocation; a buffer is full or a frame is refused, nothing grows.
#define _GNU_SOURCE
#include "frames.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define IN_SIZE (FRAME_HEADER + START_MAX)
#define OUT_DATA_MAX 65536u
// Room that pipe data never takes: READY, STARTED, a last frame and one acknowledgement always fit.
#define OUT_RESERVE (2u * (FRAME_HEADER + OUT_CONTROL_MAX))
#define OUT_SIZE (OUT_DATA_MAX + OUT_RESERVE)
// While the worker reads too slowly, a frame of fewer data bytes than this is not worth its header.
#define OUT_ROOM_MIN 4096u

static uint8_t in_buffer[IN_SIZE] __attribute__((aligned(PAGE)));
static size_t in_head, in_tail, in_peak;
static uint8_t out_buffer[OUT_SIZE];
static size_t out_head, out_tail;

void put_u32(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 24);
  at[1] = (uint8_t)(value >> 16);
  at[2] = (uint8_t)(value >> 8);
  at[3] = (uint8_t)value;
}

uint32_t get_u32(const uint8_t *at) {
  return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

uint16_t get_u16(const uint8_t *at) { return (uint16_t)(at[0] << 8 | at[1]); }

static bool length_allowed(uint8_t type, uint32_t length) {
  switch (type) {
    case FRAME_START: return length <= START_MAX;
    case FRAME_STDIN: return length <= STDIN_MAX;
    case FRAME_FILE: return length <= FILE_MAX;
    case FRAME_STDIN_CLOSE:
    case FRAME_KILL: return length == 0;
    case FRAME_RESIZE: return length == 4;
    case FRAME_SIGNAL: return length == 1;
    default: return false;
  }
}

bool in_fill(void) {
  // All whole frames were consumed: the rest is the beginning of one, moved at most once per fill.
  if (in_head > 0) {
    memmove(in_buffer, in_buffer + in_head, in_tail - in_head);
    in_tail -= in_head;
    in_head = 0;
  }
  // Never full here: a frame that fits the buffer is consumed as soon as it is whole, and no other is accepted.
  ssize_t n = read(0, in_buffer + in_tail, IN_SIZE - in_tail);
  if (n > 0) {
    in_tail += (size_t)n;
    if (in_tail > in_peak) in_peak = in_tail;
    return true;
  }
  return n < 0 && (errno == EAGAIN || errno == EINTR);
}

enum in_result in_next(struct frame *frame) {
  size_t have = in_tail - in_head;
  if (have == 0) return IN_NONE;
  const uint8_t *at = in_buffer + in_head;
  if (have < FRAME_HEADER) return IN_NONE;
  uint32_t length = get_u32(at + 1);
  if (!length_allowed(at[0], length)) return IN_BAD;
  if (have < FRAME_HEADER + length) return IN_NONE;
  frame->type = at[0];
  frame->length = length;
  frame->payload = at + FRAME_HEADER;
  in_head += FRAME_HEADER + length;
  return IN_FRAME;
}

void in_release(void) {
  if (in_peak <= 4 * PAGE || in_head != in_tail) return;
  in_head = in_tail = in_peak = 0;
  (void)madvise(in_buffer, IN_SIZE / PAGE * PAGE, MADV_DONTNEED);
}

void in_discard(void) { in_head = in_tail; }

static void out_compact(void) {
  if (out_head == 0) return;
  memmove(out_buffer, out_buffer + out_head, out_tail - out_head);
  out_tail -= out_head;
  out_head = 0;
}

size_t out_pending(void) { return out_tail - out_head; }

size_t out_room(void) {
  size_t used = out_pending() + FRAME_HEADER;
  if (used + OUT_ROOM_MIN > OUT_DATA_MAX) return 0;
  return OUT_DATA_MAX - used;
}

bool out_control(enum frame_out type, const void *payload, size_t length) {
  if (length > OUT_CONTROL_MAX || out_pending() + FRAME_HEADER + length > OUT_SIZE) return false;
  if (out_tail + FRAME_HEADER + length > OUT_SIZE) out_compact();
  out_buffer[out_tail] = (uint8_t)type;
  put_u32(out_buffer + out_tail + 1, (uint32_t)length);
  if (length > 0) memcpy(out_buffer + out_tail + FRAME_HEADER, payload, length);
  out_tail += FRAME_HEADER + length;
  return true;
}

long out_read(int fd, enum frame_out type) {
  size_t room = out_room();
  if (out_tail + FRAME_HEADER + room > OUT_SIZE) out_compact();
  ssize_t n = read(fd, out_buffer + out_tail + FRAME_HEADER, room);
  if (n <= 0) return n;
  out_buffer[out_tail] = (uint8_t)type;
  put_u32(out_buffer + out_tail + 1, (uint32_t)n);
  out_tail += FRAME_HEADER + (size_t)n;
  return n;
}

bool out_flush(void) {
  while (out_head < out_tail) {
    ssize_t n = write(1, out_buffer + out_head, out_tail - out_head);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    out_head += (size_t)n;
  }
  out_head = out_tail = 0;
  return true;
}
