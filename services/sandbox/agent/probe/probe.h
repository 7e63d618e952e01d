// What the probe's parts share: each prints facts, one a line, `name value`; who judges them is src/selftest.ts.
#ifndef RUNGRID_PROBE_H
#define RUNGRID_PROBE_H

// Identity, limits, environment, descriptors, control groups.
void facts_self(void);
// Network, system calls, older ABIs, PID 1 and other processes.
void facts_reach(void);
// What can be written, what /proc and /dev show, sockets of daemons.
void facts_files(void);

#endif
