// How many warm sandboxes a shelf gets when nobody says: as deep as the machine affords, for depth is what a burst draws on.

/** A warm sandbox with its engine's overhead, bytes, as an estimate: resident sets seen are 13 MB for the shim and 10 MB for a python, part of both shared. */
const WARM_BYTES = 20 * 1024 * 1024;
/** Share of the machine's memory for what only waits. */
const MEMORY_SHARE = 1 / 16;
/** Deeper is not better: a burst that outruns this many outruns the engine, too. */
const DEEPEST = 16;
/** What each language has on pipes before terminals and compile steps get one of their own: a second click is more likely than a first one there. */
const PIPES_FIRST = 2;

/** Warm sandboxes of each language, by what they are for. */
export interface Floors {
  readonly pipe: number;
  readonly tty: number;
  /** Of compiled languages only. */
  readonly compile: number;
}

/** What somebody asked for; undefined: nothing. */
export type AskedFloors = { readonly [K in keyof Floors]?: number | undefined };

export interface Machine {
  readonly memoryBytes: number;
  /** Most sandboxes at once. */
  readonly ceiling: number;
  /** How many languages are served. */
  readonly languages: number;
  /** How many of them have a compile step. */
  readonly compiled: number;
}

/**
 * All of them together stay within a sixteenth of the memory and half of the ceiling, but that each language has one on pipes, which has at
 * most 16. Terminals and compile steps have one each where that leaves two on pipes, else none: they start cold then. What is `asked` for
 * holds as it is; pipes that were asked for bring the other two with them, and none of those brings none.
 */
export function shelfFloors(machine: Machine, asked: AskedFloors): Floors {
  const languages = Math.max(1, machine.languages);
  const affordable = Math.min((machine.memoryBytes * MEMORY_SHARE) / WARM_BYTES, machine.ceiling / 2);
  const together = languages + machine.compiled;
  const fits = affordable >= languages * PIPES_FIRST + together;
  const side = (asked.pipe === undefined ? fits : asked.pipe > 0) ? 1 : 0;
  const { tty = side, compile = side } = asked;
  const left = affordable - languages * tty - machine.compiled * compile;
  const { pipe = Math.max(1, Math.min(DEEPEST, Math.floor(left / languages))) } = asked;
  return { pipe, tty, compile };
}
