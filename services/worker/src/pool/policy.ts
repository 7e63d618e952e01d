// What the pool does next, as a pure function: counts, tuning and the clock in; actions out.
import type { ResolvedTuning } from './options.js';

/** A removal that takes longer than this hangs and no longer counts as a job, ms. */
export const HANGS_MS = 1000;

/** The counts of one pool key. */
export interface KeyPoolCounts {
  readonly poolKey: string;
  /** The queue that its callers come from, shared with the other pool keys of its language; undefined: compile steps, which come from none. */
  readonly queue: string | undefined;
  readonly minIdle: number;
  /** Idle and ready, `expired` included. */
  readonly warm: number;
  /** Idle and past their age. */
  readonly expired: number;
  readonly starting: number;
  /** Callers waiting for a cold start. */
  readonly waiting: number;
  /** Places reserved for callers that do not take them yet. */
  readonly reserved: number;
  /** No start before this time (back-off). */
  readonly blockedUntilMs: number;
}

export interface PoolCounts {
  readonly keyPools: readonly KeyPoolCounts[];
  /** Leased to a run. */
  readonly live: number;
  readonly destroying: number;
  /** Starts and removals that the engine works on now; not the time from started to READY, nor hanging removals. */
  readonly jobs: number;
  /** A client has just sent input to a run. */
  readonly typing: boolean;
  /** Starts that the rate limit allows now, and when it allows one more. */
  readonly startTokens: number;
  readonly nextTokenMs: number;
  /** Refills wait until then, because of a recent checkout. */
  readonly holdUntilMs: number;
  /** The clock, as all times here: ms of performance.now(). */
  readonly nowMs: number;
  /** Nothing new is started. */
  readonly draining: boolean;
}

export type PoolAction =
  | { readonly do: 'start'; readonly poolKey: string }
  /** Destroy an idle one: the oldest of its pool key. */
  | { readonly do: 'evict'; readonly poolKey: string };

export interface PoolDecision {
  readonly actions: readonly PoolAction[];
  /** When time alone may change the decision, ms; undefined: only events can. */
  readonly wakeAtMs: number | undefined;
}

/** The policy's own tally while it decides. */
interface Tally extends KeyPoolCounts {
  warm: number;
  expired: number;
  starting: number;
}

export function decide(counts: PoolCounts, tuning: ResolvedTuning): PoolDecision {
  const { nowMs } = counts;
  if (counts.draining) return { actions: [], wakeAtMs: undefined };
  const keyPools = counts.keyPools.map((keyPool): Tally => ({ ...keyPool }));
  const actions: PoolAction[] = recycle(keyPools);
  /** Sandboxes being removed. */
  let leaving = counts.destroying + actions.length;
  const most = jobsAtOnce(counts, tuning);
  let { jobs } = counts;
  // By then a hanging removal no longer counts.
  let wakeAtMs = Number.isFinite(most) ? nowMs + HANGS_MS : Number.POSITIVE_INFINITY;
  let tokens = counts.startTokens;
  for (const tally of byUrgency(keyPools, tuning)) {
    while (wanted(tally) > 0) {
      const urgent = isUrgent(tally, tuning);
      const notBeforeMs = Math.max(
        tally.blockedUntilMs,
        urgent ? 0 : counts.holdUntilMs,
        tokens < 1 ? counts.nextTokenMs : 0,
      );
      if (notBeforeMs > nowMs) {
        wakeAtMs = Math.min(wakeAtMs, notBeforeMs);
        break;
      }
      if (sum(keyPools, 'starting') >= startsAtOnce(tally, tuning)) break;
      if (jobs >= most) break;
      const staying = counts.live + sum(keyPools, 'warm') + sum(keyPools, 'starting');
      if (staying + leaving >= tuning.maxSize) {
        // A removal in flight makes room already; the place is free once it is done.
        const victim = staying < tuning.maxSize ? undefined : leastWanted(keyPools, tally);
        if (victim !== undefined) {
          actions.push(evict(victim));
          leaving += 1;
        }
        break;
      }
      tally.starting += 1;
      jobs += 1;
      tokens -= 1;
      actions.push({ do: 'start', poolKey: tally.poolKey });
    }
  }
  return { actions, wakeAtMs: Number.isFinite(wakeAtMs) ? wakeAtMs : undefined };
}

/** How many starts and removals may be in flight together: few while a client types and many are pending. */
export function jobsAtOnce(counts: PoolCounts, tuning: ResolvedTuning): number {
  const starts = counts.keyPools.reduce((total, entry) => total + Math.max(0, entry.starting + wanted(entry)), 0);
  const many = starts + counts.destroying >= tuning.manyJobs;
  return many && counts.typing ? tuning.jobsWhileTyping : Number.POSITIVE_INFINITY;
}

/**
 * Whether one more caller of this pool key would get a sandbox soon: a warm one, or a start that no other caller waits for. Not while
 * another pool key of the same queue has more callers than it can serve: which of the two the next caller needs is known only once its
 * request is read.
 */
export function hasCapacity(poolKey: string, pool: { counts: PoolCounts; tuning: ResolvedTuning }): boolean {
  const { counts, tuning } = pool;
  if (counts.draining) return false;
  const own = counts.keyPools.find((entry) => entry.poolKey === poolKey);
  if (own === undefined) return false;
  const atOnce = Math.min(tuning.urgentStarts, tuning.maxWaiting);
  const beside = counts.keyPools.filter(
    (entry) => entry !== own && own.queue !== undefined && entry.queue === own.queue,
  );
  if (beside.some((entry) => unserved(entry) >= atOnce)) return false;
  if (own.warm > own.reserved) return true;
  if (own.blockedUntilMs > counts.nowMs) return false;
  if (sum(counts.keyPools, 'waiting') - own.waiting + unserved(own) >= atOnce) return false;
  if (own.starting > unserved(own)) return true;
  const exist = counts.live + counts.destroying + sum(counts.keyPools, 'warm') + sum(counts.keyPools, 'starting');
  // Callers whose start has not begun occupy places, too.
  const takenPlaces = counts.keyPools.reduce(
    (total, entry) => total + Math.max(0, unserved(entry) - entry.starting),
    0,
  );
  return (
    exist + takenPlaces < tuning.maxSize ||
    leastWanted(counts.keyPools, { ...own, waiting: own.waiting + 1 }) !== undefined
  );
}

/** Callers without a warm sandbox. */
function unserved(entry: KeyPoolCounts): number {
  return entry.waiting + Math.max(0, entry.reserved - entry.warm);
}

/**
 * Evicts expired sandboxes once their replacements are ready, and those beyond minIdle when no caller waits: they were started for a
 * caller that left.
 */
function recycle(keyPools: Tally[]): PoolAction[] {
  const actions: PoolAction[] = [];
  for (const tally of keyPools) {
    while (tally.expired > 0 && tally.warm - tally.expired >= tally.minIdle) actions.push(evict(tally));
    while (tally.waiting === 0 && tally.warm > tally.minIdle) actions.push(evict(tally));
  }
  return actions;
}

/** Evicts the oldest idle one: an expired one first. */
function evict(tally: Tally): PoolAction {
  tally.warm -= 1;
  tally.expired = Math.max(0, tally.expired - 1);
  return { do: 'evict', poolKey: tally.poolKey };
}

/** Starts that are missing: for waiting callers, and up to minIdle fresh ones. */
function wanted(tally: KeyPoolCounts): number {
  return tally.waiting + tally.minIdle - (tally.warm - tally.expired) - tally.starting;
}

function isUrgent(tally: KeyPoolCounts, tuning: ResolvedTuning): boolean {
  return (
    tally.waiting > tally.starting || tally.warm + tally.starting < Math.ceil(tally.minIdle * tuning.criticalShare)
  );
}

/** Grows with the shortfall: refilling is gentle, so that starts do not slow the clicks that caused it. */
function startsAtOnce(tally: KeyPoolCounts, tuning: ResolvedTuning): number {
  if (isUrgent(tally, tuning)) return Math.max(tuning.calmStarts, tuning.urgentStarts);
  const missingShare = (tally.minIdle - (tally.warm - tally.expired)) / Math.max(1, tally.minIdle);
  return Math.max(tuning.calmStarts, Math.ceil(tuning.urgentStarts * missingShare));
}

/** Those with callers first, then the emptiest. */
function byUrgency(keyPools: readonly Tally[], tuning: ResolvedTuning): Tally[] {
  const rank = (tally: Tally): number => (tally.waiting > 0 ? 0 : isUrgent(tally, tuning) ? 1 : 2);
  return [...keyPools].sort((a, b) => rank(a) - rank(b) || fill(a) - fill(b));
}

/**
 * The pool key whose idle sandbox makes room for `needy`: the fullest relative to its minIdle. Taken for waiting callers; for a refill
 * only when `needy` has nothing and the other keeps one, so that two keys never evict each other in turn.
 */
function leastWanted<T extends KeyPoolCounts>(keyPools: readonly T[], needy: KeyPoolCounts): T | undefined {
  let fullest: T | undefined;
  for (const other of keyPools) {
    if (other.poolKey === needy.poolKey || other.warm === 0 || other.waiting > 0) continue;
    if (fullest === undefined || fill(other) > fill(fullest)) fullest = other;
  }
  if (needy.waiting > 0) return fullest;
  return fullest !== undefined && fullest.warm > 1 && needy.warm + needy.starting === 0 ? fullest : undefined;
}

function fill(entry: KeyPoolCounts): number {
  return (entry.warm + entry.starting) / Math.max(1, entry.minIdle);
}

export function sum<K extends 'warm' | 'starting' | 'waiting'>(
  keyPools: readonly { readonly [key in K]: number }[],
  field: K,
): number {
  return keyPools.reduce((total, entry) => total + entry[field], 0);
}
