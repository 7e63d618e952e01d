// What the pool does next, as a pure function: counts, settings and the clock in; actions out.
import type { ResolvedTuning } from './options.js';

/** A removal that takes longer hangs, and keeps nobody else's turn, ms. */
export const HANGS_MS = 1000;

/** One shelf as the policy sees it. */
export interface ShelfCounts {
  readonly shelf: string;
  /** The queue that its callers come from, shared with the other shelves of its language; undefined: compile steps, which come from none. */
  readonly queue: string | undefined;
  readonly floor: number;
  /** Idle and ready, `expired` included. */
  readonly warm: number;
  /** Idle and past their age. */
  readonly expired: number;
  readonly starting: number;
  /** Callers that wait for a cold start. */
  readonly waiting: number;
  /** Places promised to callers who do not take them yet. */
  readonly reserved: number;
  /** No start before this time (back-off). */
  readonly blockedUntilMs: number;
}

export interface PoolCounts {
  readonly shelves: readonly ShelfCounts[];
  /** In the hands of a run. */
  readonly live: number;
  readonly destroying: number;
  /** Starts and removals that the engine works on at this moment; not the time from started to READY, nor what hangs. */
  readonly jobs: number;
  /** Somebody has typed to a run just now. */
  readonly typing: boolean;
  /** Starts that the rate limit allows now, and when it allows one more. */
  readonly startTokens: number;
  readonly nextTokenMs: number;
  /** Refills wait until then for the sake of a click that just came. */
  readonly holdUntilMs: number;
  /** The clock, as all times here: ms of performance.now(). */
  readonly nowMs: number;
  /** Nothing new is started. */
  readonly draining: boolean;
}

export type PoolAction =
  | { readonly do: 'start'; readonly shelf: string }
  /** Destroy an idle one: the oldest of its shelf. */
  | { readonly do: 'evict'; readonly shelf: string };

export interface PoolDecision {
  readonly actions: readonly PoolAction[];
  /** When time alone may change the decision, ms; undefined: only events can. */
  readonly wakeAtMs: number | undefined;
}

/** The policy's own tally while it decides. */
interface Tally extends ShelfCounts {
  warm: number;
  expired: number;
  starting: number;
}

export function decide(counts: PoolCounts, tuning: ResolvedTuning): PoolDecision {
  const { nowMs } = counts;
  if (counts.draining) return { actions: [], wakeAtMs: undefined };
  const shelves = counts.shelves.map((shelf): Tally => ({ ...shelf }));
  const actions: PoolAction[] = recycle(shelves);
  /** Still there, on their way out. */
  let leaving = counts.destroying + actions.length;
  const most = jobsAtOnce(counts, tuning);
  let { jobs } = counts;
  // What hangs counts no longer then.
  let wakeAtMs = Number.isFinite(most) ? nowMs + HANGS_MS : Number.POSITIVE_INFINITY;
  let tokens = counts.startTokens;
  for (const tally of byUrgency(shelves, tuning)) {
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
      if (sum(shelves, 'starting') >= startsAtOnce(tally, tuning)) break;
      if (jobs >= most) break;
      const staying = counts.live + sum(shelves, 'warm') + sum(shelves, 'starting');
      if (staying + leaving >= tuning.ceiling) {
        // One on its way out makes room already; the place is free once it is gone.
        const victim = staying < tuning.ceiling ? undefined : leastWanted(shelves, tally);
        if (victim !== undefined) {
          actions.push(evict(victim));
          leaving += 1;
        }
        break;
      }
      tally.starting += 1;
      jobs += 1;
      tokens -= 1;
      actions.push({ do: 'start', shelf: tally.shelf });
    }
  }
  return { actions, wakeAtMs: Number.isFinite(wakeAtMs) ? wakeAtMs : undefined };
}

/** Starts and removals that may be under way together: few where somebody types and many wait to be done. */
export function jobsAtOnce(counts: PoolCounts, tuning: ResolvedTuning): number {
  const starts = counts.shelves.reduce((total, entry) => total + Math.max(0, entry.starting + wanted(entry)), 0);
  const many = starts + counts.destroying >= tuning.manyJobs;
  return many && counts.typing ? tuning.jobsWhileTyping : Number.POSITIVE_INFINITY;
}

/**
 * Whether one more caller of this shelf would get a sandbox soon: a warm one, or a start that nobody else waits for. Not while another shelf
 * of the same queue has more callers than it can serve: which of the two the next caller needs is known only when he has been read.
 */
export function hasCapacity(shelf: string, pool: { counts: PoolCounts; tuning: ResolvedTuning }): boolean {
  const { counts, tuning } = pool;
  if (counts.draining) return false;
  const own = counts.shelves.find((entry) => entry.shelf === shelf);
  if (own === undefined) return false;
  const atOnce = Math.min(tuning.urgentStarts, tuning.maxWaiting);
  const beside = counts.shelves.filter(
    (entry) => entry !== own && own.queue !== undefined && entry.queue === own.queue,
  );
  if (beside.some((entry) => owed(entry) >= atOnce)) return false;
  if (own.warm > own.reserved) return true;
  if (own.blockedUntilMs > counts.nowMs) return false;
  if (sum(counts.shelves, 'waiting') - own.waiting + owed(own) >= atOnce) return false;
  if (own.starting > owed(own)) return true;
  const exist = counts.live + counts.destroying + sum(counts.shelves, 'warm') + sum(counts.shelves, 'starting');
  // Callers whose start has not begun have their places, too.
  const spokenFor = counts.shelves.reduce((total, entry) => total + Math.max(0, owed(entry) - entry.starting), 0);
  return (
    exist + spokenFor < tuning.ceiling ||
    leastWanted(counts.shelves, { ...own, waiting: own.waiting + 1 }) !== undefined
  );
}

/** Callers for whom there is no warm one. */
function owed(entry: ShelfCounts): number {
  return entry.waiting + Math.max(0, entry.reserved - entry.warm);
}

/**
 * Expired ones go once their replacements are there; so does what is more than the floor, when nobody waits: it was started for a caller
 * who has gone, and would hold its memory for nothing.
 */
function recycle(shelves: Tally[]): PoolAction[] {
  const actions: PoolAction[] = [];
  for (const tally of shelves) {
    while (tally.expired > 0 && tally.warm - tally.expired >= tally.floor) actions.push(evict(tally));
    while (tally.waiting === 0 && tally.warm > tally.floor) actions.push(evict(tally));
  }
  return actions;
}

/** Takes the oldest idle one out of the tally: an expired one first. */
function evict(tally: Tally): PoolAction {
  tally.warm -= 1;
  tally.expired = Math.max(0, tally.expired - 1);
  return { do: 'evict', shelf: tally.shelf };
}

/** Starts that are missing: for those who wait, and up to the floor of fresh ones. */
function wanted(tally: ShelfCounts): number {
  return tally.waiting + tally.floor - (tally.warm - tally.expired) - tally.starting;
}

function isUrgent(tally: ShelfCounts, tuning: ResolvedTuning): boolean {
  return tally.waiting > tally.starting || tally.warm + tally.starting < Math.ceil(tally.floor * tuning.criticalShare);
}

/** Grows with what is missing: depth is won back gently, so that the starts do not disturb the clicks which took it. */
function startsAtOnce(tally: ShelfCounts, tuning: ResolvedTuning): number {
  if (isUrgent(tally, tuning)) return Math.max(tuning.calmStarts, tuning.urgentStarts);
  const missingShare = (tally.floor - (tally.warm - tally.expired)) / Math.max(1, tally.floor);
  return Math.max(tuning.calmStarts, Math.ceil(tuning.urgentStarts * missingShare));
}

/** Those with callers first, then the emptiest. */
function byUrgency(shelves: readonly Tally[], tuning: ResolvedTuning): Tally[] {
  const rank = (tally: Tally): number => (tally.waiting > 0 ? 0 : isUrgent(tally, tuning) ? 1 : 2);
  return [...shelves].sort((a, b) => rank(a) - rank(b) || fill(a) - fill(b));
}

/**
 * Whose idle sandbox makes room for `needy`: that of the shelf which is fullest against its floor. Taken for callers who
 * wait; for a mere refill only when `needy` has nothing and the other keeps one, so that two never take places in turn.
 */
function leastWanted<T extends ShelfCounts>(shelves: readonly T[], needy: ShelfCounts): T | undefined {
  let fullest: T | undefined;
  for (const other of shelves) {
    if (other.shelf === needy.shelf || other.warm === 0 || other.waiting > 0) continue;
    if (fullest === undefined || fill(other) > fill(fullest)) fullest = other;
  }
  if (needy.waiting > 0) return fullest;
  return fullest !== undefined && fullest.warm > 1 && needy.warm + needy.starting === 0 ? fullest : undefined;
}

function fill(entry: ShelfCounts): number {
  return (entry.warm + entry.starting) / Math.max(1, entry.floor);
}

function sum(shelves: readonly ShelfCounts[], field: 'warm' | 'starting' | 'waiting'): number {
  let total = 0;
  for (const entry of shelves) total += entry[field];
  return total;
}
