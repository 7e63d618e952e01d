// How many warm sandboxes a shelf gets when nobody says: as deep as the machine affords, for depth is what a burst draws on.

/** A warm sandbox with its engine's overhead, bytes, as an estimate: resident sets seen are 13 MB for the shim and 10 MB for a python, part of both shared. */
const WARM_BYTES = 20 * 1024 * 1024;
/** Share of the machine's memory for what only waits. */
const MEMORY_SHARE = 1 / 16;
/** Deeper is not better: a burst that outruns this many outruns the engine, too. */
const DEEPEST = 16;

/** Warm sandboxes of each of `languages` languages: 1 to 16, within a sixteenth of the memory and half of the ceiling. */
export function warmFloor(machine: { memoryBytes: number; ceiling: number; languages: number }): number {
  const affordable = Math.min((machine.memoryBytes * MEMORY_SHARE) / WARM_BYTES, machine.ceiling / 2);
  return Math.max(1, Math.min(DEEPEST, Math.floor(affordable / Math.max(1, machine.languages))));
}

/**
 * Warm sandboxes of a shelf beside the main one (terminals, compile steps) of each language: one where the main shelf can afford more than
 * one, else none: a cold start then. `main`: warmFloor(), or what was asked for in its place.
 */
export function sideFloor(main: number): number {
  return main > 1 ? 1 : 0;
}
