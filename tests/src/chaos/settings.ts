// What the environment says about a chaos test.

/** RUNGRID_CHAOS_SEED: replays the faults and programs of an earlier run. */
export function seedOf(otherwise: number): number {
  return numberOf('RUNGRID_CHAOS_SEED', otherwise) >>> 0;
}

/** RUNGRID_CHAOS_MS: how long faults go on, ms. */
export function durationMsOf(otherwise: number): number {
  return numberOf('RUNGRID_CHAOS_MS', otherwise);
}

function numberOf(name: string, otherwise: number): number {
  const text = process.env[name];
  if (text === undefined || text === '') return otherwise;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new Error(`${name} is not a whole number: ${text}`);
  return number;
}
