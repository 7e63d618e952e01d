// What a chaos test prints: the log of faults, the checker's table, and whole histories of what went wrong.
import type { Load } from './load.js';
import type { Strike } from './nemesis.js';
import type { Visit } from '../testkit/chaos/visitor.js';

/** Frames of a history that are printed, from its end. */
const SHOWN_FRAMES = 12;

/** Prints it all. `extra`: further lines of the table. */
export function printReport(
  title: string,
  given: { load: Load; strikes?: readonly Strike[]; extra?: Readonly<Record<string, unknown>> },
): void {
  const { load, strikes = [], extra = {} } = given;
  if (strikes.length > 0) {
    console.info(`${title}: faults`);
    console.table(strikes);
  }
  console.info(`${title}: checker`);
  console.table({ ...load.table(), ...extra });
  if (load.errors.size > 0) console.table(Object.fromEntries(load.errors));
  for (const violation of load.violations.slice(0, 50))
    console.info(`VIOLATION run ${violation.run} ${violation.rule}: ${violation.detail}`);
  for (const visit of load.suspects) console.info(describe(visit));
}

function describe(visit: Visit): string {
  const legs = visit.legs.map((leg) => {
    const began = leg.resumedAfter === undefined ? 'run_code' : `resume after ${leg.resumedAfter}`;
    const frames = leg.frames.slice(-SHOWN_FRAMES).map((frame) => `    ${JSON.stringify(frame).slice(0, 200)}`);
    return [`  ${leg.gateway} ${began}, ${leg.frames.length} frames${leg.lost ? ', lost' : ''}`, ...frames].join('\n');
  });
  return `run ${visit.program.number}, ${visit.keep ? 'keep' : 'kill'}, clicked at ${visit.clickMs.toFixed(0)} ms\n${legs.join('\n')}`;
}

/** The value below which `share` (0 to 1) of the numbers are; undefined without any. */
export function quantile(numbers: readonly number[], share: number): number | undefined {
  const sorted = [...numbers].sort((a, b) => a - b);
  const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return value === undefined ? undefined : Math.round(value * 10) / 10;
}

/** p50, p99 and maximum of times, ms, for a table. */
export function spread(name: string, timesMs: readonly number[]): Record<string, number | undefined> {
  return {
    [`${name}: count`]: timesMs.length,
    [`${name}: p50, ms`]: quantile(timesMs, 0.5),
    [`${name}: p99, ms`]: quantile(timesMs, 0.99),
    [`${name}: max, ms`]: quantile(timesMs, 1),
  };
}
