// The limits of one run: the server's, lowered by the language's manifest and by the request.

/** Limits that the worker enforces; the kernel's are in SandboxLimits. */
export interface RunLimits {
  /** From the start of the program to its end, ms. */
  readonly wallMs: number;
  /** CPU time of all processes of the program, ms. */
  readonly cpuMs: number;
  /** Without output and without input, ms. */
  readonly idleMs: number;
  /** stdout and stderr together, bytes. */
  readonly outputBytes: number;
}

/** A request may only lower a limit: each is the smallest of what is given. */
export function lowerLimits(server: RunLimits, ...lower: readonly Partial<RunLimits>[]): RunLimits {
  const least = (name: keyof RunLimits) =>
    Math.min(server[name], ...lower.map((limits) => limits[name] ?? Number.POSITIVE_INFINITY));
  return {
    wallMs: least('wallMs'),
    cpuMs: least('cpuMs'),
    idleMs: least('idleMs'),
    outputBytes: least('outputBytes'),
  };
}
