// Attacks that end otherwise where gVisor runs the sandboxes (SANDBOX_RUNTIME=runsc): how, and why that is safe or must be known.

export interface RuntimeDifference {
  /** What is wrong by the attack's own checks; anything else is a failure. */
  readonly fault: RegExp;
  readonly reason: string;
}

const RUNSC: Readonly<Record<string, RuntimeDifference>> = {};

/** Undefined: it must end there as anywhere. */
export function runtimeDifference(attack: string): RuntimeDifference | undefined {
  return process.env['SANDBOX_RUNTIME'] === 'runsc' ? RUNSC[attack] : undefined;
}

/** Names of all attacks with a difference. */
export const DIFFERING: readonly string[] = Object.keys(RUNSC);
