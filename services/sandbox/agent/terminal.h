// The pseudo terminal of a sandbox in terminal mode, and the watch over how many of them the program makes.
#ifndef RUNGRID_TERMINAL_H
#define RUNGRID_TERMINAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Pseudo terminals are counted for the whole machine and by no control group, so this is the most that one sandbox has, its own included.
#define TERMINALS_MAX 8

struct terminal {
  int master, slave; // -1: none, or closed
  int watch_fd;      // readable when a pseudo terminal was made or removed
};

// Opens one of 80 columns and 24 rows, with the line discipline of a login: echo, line editing, UTF-8. False: errno.
bool terminal_open(struct terminal *terminal);
// Sets its size; the foreground group gets SIGWINCH when the size changed. Zero is refused.
void terminal_resize(const struct terminal *terminal, uint16_t columns, uint16_t rows);
// Process group in the foreground, or -1.
pid_t terminal_foreground(const struct terminal *terminal);
// The bytes that mean "end of input" now, after input that did or did not end a line. At most 2.
size_t terminal_end_of_file(int fd, bool line_open, uint8_t bytes[2]);
// Reads the watch. False: there are more terminals than allowed.
bool terminal_count_allowed(const struct terminal *terminal);

#endif
