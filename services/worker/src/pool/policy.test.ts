// The pool's policy by table: counts in, actions out.
import { describe, expect, it } from 'vitest';
import { resolveTuning } from './options.js';
import { decide, HANGS_MS, hasCapacity, type KeyPoolCounts, type PoolAction, type PoolCounts } from './policy.js';

const TUNING = resolveTuning({ maxSize: 10, calmStarts: 1, urgentStarts: 4, jobsWhileTyping: 1, manyJobs: 5 });
const NOW_MS = 1000;

describe('decide', () => {
  const table: ReadonlyArray<{ it: string; counts: PoolCounts; actions: string[]; wakeAtMs?: number }> = [
    { it: 'does nothing at minIdle', counts: pool([keyPool({ warm: 4 })]), actions: [] },
    {
      it: 'fills an empty pool key urgently',
      counts: pool([keyPool({})]),
      actions: ['start a', 'start a', 'start a', 'start a'],
    },
    {
      it: 'refills a nearly full pool key one start at a time',
      counts: pool([keyPool({ warm: 3 })]),
      actions: ['start a'],
    },
    { it: 'counts what is starting', counts: pool([keyPool({ warm: 3, starting: 1 })]), actions: [] },
    {
      it: 'refills a half-full pool key with two starts',
      counts: pool([keyPool({ warm: 2 })]),
      actions: ['start a', 'start a'],
    },
    {
      it: 'delays a refill after a checkout',
      counts: pool([keyPool({ warm: 3 })], { holdUntilMs: 1020 }),
      actions: [],
      wakeAtMs: 1020,
    },
    {
      it: 'does not delay below the critical mark',
      counts: pool([keyPool({ warm: 1, starting: 0 })], { holdUntilMs: 1020 }),
      actions: ['start a'],
      wakeAtMs: 1020,
    },
    {
      it: 'does not delay while a caller waits',
      counts: pool([keyPool({ minIdle: 0, waiting: 1 })], { holdUntilMs: 1020 }),
      actions: ['start a'],
    },
    { it: 'waits for the back-off', counts: pool([keyPool({ blockedUntilMs: 1500 })]), actions: [], wakeAtMs: 1500 },
    {
      it: 'keeps the start rate',
      counts: pool([keyPool({})], { startTokens: 1 }),
      actions: ['start a'],
      wakeAtMs: 1010,
    },
    { it: 'stops at maxSize', counts: pool([keyPool({ warm: 1 })], { live: 8 }), actions: ['start a'] },
    {
      it: 'counts sandboxes being removed towards maxSize',
      counts: pool([keyPool({ warm: 1 })], { live: 5, destroying: 4 }),
      actions: [],
    },
    {
      it: 'at maxSize, evicts an idle sandbox of the fullest other pool key for a waiting caller',
      counts: pool(
        [keyPool({ minIdle: 0, waiting: 1 }), keyPool({ poolKey: 'b', warm: 2 }), keyPool({ poolKey: 'c', warm: 4 })],
        {
          live: 4,
        },
      ),
      actions: ['evict c'],
    },
    {
      it: 'does not evict another while a removal is in flight',
      counts: pool([keyPool({ minIdle: 0, waiting: 1 }), keyPool({ poolKey: 'b', warm: 4 })], {
        live: 5,
        destroying: 1,
      }),
      actions: [],
    },
    {
      it: 'gives an empty pool key one place of another that has several',
      counts: pool([keyPool({}), keyPool({ poolKey: 'b', warm: 4 })], { live: 6 }),
      actions: ['evict b'],
    },
    {
      it: 'does not take the last one of another pool key for a refill',
      counts: pool([keyPool({}), keyPool({ poolKey: 'b', minIdle: 1, warm: 1 })], { live: 9 }),
      actions: [],
    },
    {
      it: 'starts the replacement of an expired sandbox first',
      counts: pool([keyPool({ warm: 4, expired: 1 })]),
      actions: ['start a'],
    },
    {
      it: 'evicts what exceeds minIdle, because its caller left',
      counts: pool([keyPool({ warm: 6 })]),
      actions: ['evict a', 'evict a'],
    },
    {
      it: 'keeps it while a caller waits',
      counts: pool([keyPool({ warm: 5, waiting: 1 })]),
      actions: [],
    },
    {
      it: 'evicts an expired sandbox once its replacement is ready',
      counts: pool([keyPool({ warm: 5, expired: 1 })]),
      actions: ['evict a'],
    },
    {
      it: 'starts for callers before refills',
      counts: pool([keyPool({ poolKey: 'b' }), keyPool({ minIdle: 0, waiting: 1 })], { startTokens: 1 }),
      actions: ['start a'],
      wakeAtMs: 1010,
    },
    {
      it: 'starts one at a time while a client types and many jobs are pending',
      counts: pool([keyPool({ waiting: 4 })], { typing: true }),
      actions: ['start a'],
      wakeAtMs: NOW_MS + HANGS_MS,
    },
    {
      it: 'starts few jobs side by side, even while a client types',
      counts: pool([keyPool({ warm: 2 })], { typing: true, destroying: 2, jobs: 2 }),
      actions: ['start a', 'start a'],
    },
    {
      it: 'starts nothing beside a removal while a client types',
      counts: pool([keyPool({ waiting: 4 })], { typing: true, destroying: 1, jobs: 1 }),
      actions: [],
      wakeAtMs: NOW_MS + HANGS_MS,
    },
    {
      it: 'starts beside removals that are queued or hang',
      counts: pool([keyPool({ waiting: 4 })], { typing: true, destroying: 2 }),
      actions: ['start a'],
      wakeAtMs: NOW_MS + HANGS_MS,
    },
    {
      it: 'starts the next while one waits for READY',
      counts: pool([keyPool({ waiting: 4, starting: 1 })], { typing: true }),
      actions: ['start a'],
      wakeAtMs: NOW_MS + HANGS_MS,
    },
    { it: 'does nothing while draining', counts: pool([keyPool({ waiting: 1 })], { draining: true }), actions: [] },
  ];
  for (const row of table) {
    it(row.it, () => {
      const decision = decide(row.counts, TUNING);
      expect(decision.actions.map(text)).toEqual(row.actions);
      expect(decision.wakeAtMs).toBe(row.wakeAtMs);
    });
  }
});

describe('hasCapacity', () => {
  const table: ReadonlyArray<{ it: string; counts: PoolCounts; is: boolean }> = [
    { it: 'a warm one', counts: pool([keyPool({ warm: 1 })], { live: 9 }), is: true },
    {
      it: 'a start that no caller waits for',
      counts: pool([keyPool({ starting: 2, waiting: 1 })], { live: 8 }),
      is: true,
    },
    { it: 'room for a start', counts: pool([keyPool({})]), is: true },
    {
      it: 'an idle one of another language',
      counts: pool([keyPool({}), keyPool({ poolKey: 'b', warm: 1 })], { live: 9 }),
      is: true,
    },
    {
      it: 'not the last place, which belongs to a caller whose start has not begun',
      counts: pool([keyPool({ waiting: 1 })], { live: 9 }),
      is: false,
    },
    { it: 'not at maxSize', counts: pool([keyPool({})], { live: 10 }), is: false },
    { it: 'not while starts fail', counts: pool([keyPool({ blockedUntilMs: 2000 })]), is: false },
    { it: 'not when enough wait already', counts: pool([keyPool({ waiting: 4 })]), is: false },
    { it: 'not while draining', counts: pool([keyPool({ warm: 1 })], { draining: true }), is: false },
    { it: 'a warm one that is not reserved', counts: pool([keyPool({ warm: 3, reserved: 2 })]), is: true },
    {
      it: 'not a reserved warm one, at maxSize',
      counts: pool([keyPool({ warm: 2, reserved: 2 })], { live: 8 }),
      is: false,
    },
    { it: 'a start beside reservations', counts: pool([keyPool({ warm: 2, reserved: 2 })]), is: true },
    {
      it: 'not when enough places are reserved without a warm one',
      counts: pool([keyPool({ warm: 1, reserved: 5 })]),
      is: false,
    },
    {
      it: 'not when waiting callers and reservations are enough together',
      counts: pool([keyPool({ reserved: 2 }), keyPool({ poolKey: 'b', waiting: 2 })]),
      is: false,
    },
    {
      it: 'a warm one, whatever other languages wait for',
      counts: pool([keyPool({ warm: 1 }), keyPool({ poolKey: 'b', waiting: 9, reserved: 9 })]),
      is: true,
    },
    {
      it: 'a warm one while a few wait for a terminal',
      counts: pool([keyPool({ warm: 1 }), keyPool({ poolKey: 'a/tty', queue: 'a', waiting: 2, reserved: 2, warm: 1 })]),
      is: true,
    },
    {
      it: 'not while terminals of the same queue have more callers than starts at once',
      counts: pool([keyPool({ warm: 4 }), keyPool({ poolKey: 'a/tty', queue: 'a', waiting: 2, reserved: 2 })]),
      is: false,
    },
    {
      it: 'whatever compile steps wait for',
      counts: pool([keyPool({ warm: 1 }), keyPool({ poolKey: 'a/compile', queue: undefined, waiting: 9 })]),
      is: true,
    },
  ];
  for (const row of table) {
    it(row.it, () => expect(hasCapacity('a', { counts: row.counts, tuning: TUNING })).toBe(row.is));
  }

  it('not for an unknown pool key', () => {
    expect(hasCapacity('a', { counts: pool([]), tuning: TUNING })).toBe(false);
  });
});

function keyPool(counts: Partial<KeyPoolCounts>): KeyPoolCounts {
  const none = { minIdle: 4, warm: 0, expired: 0, starting: 0, waiting: 0, reserved: 0, blockedUntilMs: 0 };
  return { poolKey: 'a', queue: counts.poolKey ?? 'a', ...none, ...counts };
}

function pool(keyPools: readonly KeyPoolCounts[], counts: Partial<PoolCounts> = {}): PoolCounts {
  return {
    keyPools,
    live: 0,
    destroying: 0,
    jobs: 0,
    typing: false,
    startTokens: 8,
    nextTokenMs: 1010,
    holdUntilMs: 0,
    draining: false,
    nowMs: NOW_MS,
    ...counts,
  };
}

function text(action: PoolAction): string {
  return `${action.do} ${action.poolKey}`;
}
