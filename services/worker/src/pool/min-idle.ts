// How many warm sandboxes each pool key keeps by default: as many as the machine has memory for, because a burst draws on depth.

/** A warm sandbox with its engine's overhead, bytes, as an estimate: resident sets seen are 13 MB for the shim and 10 MB for a python, part of both shared. */
const WARM_BYTES = 20 * 1024 * 1024;
/** Share of the machine's memory for idle sandboxes. */
const MEMORY_SHARE = 1 / 16;
/** More does not help: a burst that outruns this many outruns the engine, too. */
const DEEPEST = 16;
/** Sandboxes on pipes that each language gets before terminals and compile steps get one: a second click is more likely than a first one there. */
const PIPES_FIRST = 2;

/** Warm sandboxes of each language, by kind. */
export interface MinIdle {
  readonly pipe: number;
  readonly tty: number;
  /** Of compiled languages only. */
  readonly compile: number;
}

/** What the configuration sets; undefined: the default. */
export type ConfiguredMinIdle = { readonly [K in keyof MinIdle]?: number | undefined };

export interface Machine {
  readonly memoryBytes: number;
  /** Most sandboxes at once. */
  readonly maxSize: number;
  /** How many languages are served. */
  readonly languages: number;
  /** How many of them have a compile step. */
  readonly compiled: number;
}

/**
 * All together stay within a sixteenth of the memory and half of maxSize, except that each language has at least one on pipes, and at
 * most 16. Terminals and compile steps get one each where that leaves two on pipes, else none: they start cold then. `configured` values
 * hold as they are; configuring pipes alone gives the other two one each, or none with zero pipes.
 */
export function minIdleByKind(machine: Machine, configured: ConfiguredMinIdle): MinIdle {
  const languages = Math.max(1, machine.languages);
  const affordable = Math.min((machine.memoryBytes * MEMORY_SHARE) / WARM_BYTES, machine.maxSize / 2);
  const together = languages + machine.compiled;
  const fits = affordable >= languages * PIPES_FIRST + together;
  const side = (configured.pipe === undefined ? fits : configured.pipe > 0) ? 1 : 0;
  const { tty = side, compile = side } = configured;
  const left = affordable - languages * tty - machine.compiled * compile;
  const { pipe = Math.max(1, Math.min(DEEPEST, Math.floor(left / languages))) } = configured;
  return { pipe, tty, compile };
}
