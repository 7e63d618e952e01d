// Processes of the sandbox: how one is started, and how all of them are ended.
#ifndef RUNGRID_PROGRAM_H
#define RUNGRID_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

struct pipe_pair {
  int read_end, write_end; // -1 when closed
};

struct spawn {
  char *const *argv;
  char *const *extra_env; // NULL-terminated KEY=VALUE list on top of the agent's environment, or NULL
  int stdin_fd, stdout_fd, stderr_fd;
  int control_fd; // becomes fd 3; -1: none
  bool terminal;  // stdin_fd is a terminal, which becomes the controlling one
};

// Once, before anything else: not dumpable, no inherited descriptors, signals, umask. Returns the signalfd for SIGCHLD, or -1.
int program_setup(void);
// A pipe, close-on-exec, numbered 10 or higher (so that no end collides with 0-3 in a child). False: errno.
bool pipe_open(struct pipe_pair *pair);
// A stream socketpair for the warm process: [0] the agent's end, [1] the launcher's.
bool control_open(int ends[2]);
// The same descriptor, close-on-exec, numbered 10 or higher. -1 with errno; `fd` itself is closed.
int move_up(int fd);
void set_nonblocking(int fd);
void set_blocking(int fd);
void close_fd(int *fd);
// Starts a process as its own session. Returns its pid; -1 with errno when fork or exec failed.
pid_t program_spawn(const struct spawn *spawn);
// SIGKILL to every process of the namespace except the agent.
void program_kill_all(void);

#endif
