// Opens, sizes and counts pseudo terminals; see pty(7), termios(3), inotify(7).
#define _GNU_SOURCE
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "program.h"

#define CONTROL_D 4

static int count = 0;

static int open_slave(int master) {
  int unlock = 0, number = 0;
  if (ioctl(master, TIOCSPTLCK, &unlock) != 0 || ioctl(master, TIOCGPTN, &number) != 0) return -1;
  char path[32];
  (void)snprintf(path, sizeof path, "/dev/pts/%d", number);
  return open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static void set_line_discipline(int slave) {
  struct termios attributes;
  if (tcgetattr(slave, &attributes) != 0) return;
  // The kernel's defaults are those of a login, except UTF-8: an erase removes a whole character.
  attributes.c_iflag |= IUTF8;
  (void)tcsetattr(slave, TCSANOW, &attributes);
}

bool terminal_open(struct terminal *terminal) {
  terminal->watch_fd = move_up(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (terminal->watch_fd < 0 || inotify_add_watch(terminal->watch_fd, "/dev/pts", IN_CREATE | IN_DELETE) < 0) return false;
  terminal->master = move_up(open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  if (terminal->master < 0) return false;
  terminal->slave = move_up(open_slave(terminal->master));
  if (terminal->slave < 0) return false;
  set_line_discipline(terminal->slave);
  terminal_resize(terminal, 80, 24);
  return true;
}

void terminal_resize(const struct terminal *terminal, uint16_t columns, uint16_t rows) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  if (columns > 0 && rows > 0) (void)ioctl(terminal->master, TIOCSWINSZ, &size);
}

pid_t terminal_foreground(const struct terminal *terminal) {
  pid_t group = -1;
  return ioctl(terminal->master, TIOCGPGRP, &group) == 0 && group > 1 ? group : -1;
}

size_t terminal_end_of_file(int fd, bool line_open, uint8_t bytes[2]) {
  struct termios attributes;
  bool known = tcgetattr(fd, &attributes) == 0;
  bytes[0] = bytes[1] = known ? attributes.c_cc[VEOF] : CONTROL_D;
  // In the middle of a line the first one only submits what was typed.
  return line_open && (!known || (attributes.c_lflag & ICANON) != 0) ? 2 : 1;
}

bool terminal_count_allowed(const struct terminal *terminal) {
  char events[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
  ssize_t n;
  while ((n = read(terminal->watch_fd, events, sizeof events)) > 0) {
    for (const char *at = events; at < events + n;) {
      const struct inotify_event *event = (const void *)at;
      if ((event->mask & IN_Q_OVERFLOW) != 0) return false;
      count += (event->mask & IN_CREATE) != 0 ? 1 : -1;
      at += sizeof *event + event->len;
    }
  }
  return count <= TERMINALS_MAX;
}
