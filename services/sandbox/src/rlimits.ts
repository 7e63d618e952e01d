// Resource limits of every process in a sandbox that do not depend on its configuration: set by the engine, proved by the self-test.

/** Soft and hard alike: what can't be raised again needs no watching. The number of processes is the control group's business, which also counts refusals. */
export const SANDBOX_RLIMITS = {
  /** A dump would be written by the host's handler, outside of every limit of the sandbox. Bytes. */
  core: 0,
  /** Open files. */
  nofile: 256,
  /** Memory that the kernel may not move away: its own old default. Bytes. */
  memlock: 65_536,
  /** POSIX message queues are kernel memory reachable through /dev/mqueue, which stays mounted. Bytes. */
  msgqueue: 0,
  /** Queued signals and POSIX timers are kernel memory that nothing else counts; far above what 64 processes queue. */
  sigpending: 256,
  /** No real time and no higher priority: they would be taken from the co-tenants. */
  rtprio: 0,
  nice: 0,
} as const;
