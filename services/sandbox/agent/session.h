// The one run of this sandbox: its state, and what each event does to it.
#ifndef RUNGRID_SESSION_H
#define RUNGRID_SESSION_H

#include <stdbool.h>

#include "pump.h"

enum state {
  BOOTING,   // the warm process is not up yet
  READY,     // waiting for START
  COMPILING, // main process: the compiler
  RUNNING,   // main process: the program
  ENDING,    // the main process is over: kill, reap, drain
  DONE,      // the last frame is queued; wait for the worker to go
};

struct session {
  enum state state;
  bool everyone_dead;        // no process but the agent is left
  int signal_fd, control_fd; // -1: closed
  struct channel channels[3]; // STDOUT, STDERR, COMPILE
};

extern struct session session;

// Makes the program's pipes; starts the warm process, if there is one.
void session_boot(char **warm_argv);
// Frames of the worker wait. Exits when the worker is gone.
void session_frames(void);
// The warm process wrote to its control socket.
void session_version(void);
// Children ended.
void session_reap(void);
// In ENDING: goes on as far as it can; the last step queues EXIT or COMPILE_FAILED, or runs what was compiled.
void session_end_step(void);
// The program changed the agent's own limits, so that it can't poll any more. Ends everything; does not return.
_Noreturn void session_tampered(void);

#endif
