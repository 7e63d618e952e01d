// What the probe's parts share: each reports findings, one per line, `name value`; src/selftest.ts judges them.
#ifndef RUNGRID_PROBE_H
#define RUNGRID_PROBE_H

// Identity, limits, environment, descriptors, control groups.
void report_self(void);
// Network, system calls, older ABIs, PID 1 and other processes.
void report_reach(void);
// What can be written, what /proc and /dev show, sockets of daemons.
void report_files(void);

#endif
