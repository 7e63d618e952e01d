// The one run of this sandbox: its state, and what each event does to it.
#ifndef RUNGRID_SESSION_H
#define RUNGRID_SESSION_H

#include <stdbool.h>

#include "pump.h"
#include "terminal.h"

enum state {
  BOOTING, // the warm process is not up yet
  READY,   // waiting for START
  RUNNING, // the main process lives: the program, or the compiler
  ENDING,  // the main process is over: kill, reap, drain
  SENDING, // the artifact is on its way
  DONE,    // the last frame is queued; wait for the worker to disconnect
};

// What this sandbox is for, fixed by the agent's command line.
struct purpose {
  bool compiles; // it compiles, and never runs the program
  bool terminal; // the program is on a pseudo terminal
  char **warm;   // argv of the warm process, or NULL
};

struct session {
  enum state state;
  bool everyone_dead;         // the agent is the only process
  int signal_fd, control_fd;  // -1: closed
  struct channel channels[2]; // STDOUT (or COMPILE), STDERR
  struct terminal terminal;
};

extern struct session session;

// Makes the program's pipes or its terminal; starts the warm process, if there is one.
void session_boot(struct purpose purpose);
// Handles the worker's frames. Exits when the worker has disconnected.
void session_frames(void);
// The warm process wrote to its control socket.
void session_version(void);
// Children ended.
void session_reap(void);
// Pseudo terminals were made or removed.
void session_terminals(void);
// In ENDING: takes every step that is possible now; the last one queues EXIT or COMPILE_FAILED, or opens the artifact.
void session_end_step(void);
// In SENDING: queues as much of the artifact as the worker takes, and COMPILED after its last byte.
void session_send_step(void);
// The program changed the agent's own limits, so that it can no longer poll. Ends everything; does not return.
_Noreturn void session_tampered(void);

#endif
