// The checker against histories that it must accept, and bad ones, each of which breaks one rule.
import { describe, expect, test } from 'vitest';
import type { RunFrame } from '../run-handle.js';
import { judge, type Rule } from './checker.js';
import type { Leg, RunHistory } from './history.js';
import { counter } from './program.js';

const program = counter(7, { lines: 4, pauseMs: 0 });
const queued: RunFrame = { event: 'queued', data: { position: 0 } };
const started = { event: 'started', data: { language: 'python', version: '3', warm: true, seq: 1 } } as RunFrame;
const line = (index: number, seq = index + 2): RunFrame => ({
  event: 'stdout',
  data: { text: `7:00c0ffee:${index}\n`, seq },
});
const exit = (seq: number, change: object = {}): RunFrame => ({
  event: 'exit',
  data: {
    code: 0,
    signal: null,
    reason: 'exited',
    usage: { wall_ms: 1, cpu_ms: 1, memory_bytes: 1, output_bytes: 1 },
    truncated: false,
    seq,
    ...change,
  },
});
const error = (code: string) => ({ event: 'error', data: { code, message: '', retryable: true } }) as RunFrame;
const resumed = (from: number): RunFrame => ({ event: 'resumed', data: { replayed_from: from, stdin_bytes: 0 } });
const all = [line(0), line(1), line(2), line(3)];

const leg = (frames: readonly RunFrame[], more: Partial<Leg> = {}): Leg => ({
  gateway: 'a',
  resumedAfter: undefined,
  frames,
  lost: false,
  ...more,
});
const history = (legs: readonly Leg[], keep = true): RunHistory => ({ program, keep, legs });
const lost = { lost: true };

describe('a good history has no violation', () => {
  test.each<[string, string, RunHistory]>([
    ['a run that ends by itself', 'exited', history([leg([queued, started, ...all, exit(6)])])],
    ['a refusal', 'refused overloaded', history([leg([error('overloaded')])])],
    [
      'a worker that is lost in the middle',
      'worker_lost',
      history([leg([queued, started, line(0), error('worker_lost')])]),
    ],
    ['a socket lost before any answer', 'never_accepted', history([leg([], lost)])],
    ['a run to be killed with its socket', 'socket_lost', history([leg([queued, started, line(0)], lost)], false)],
    ['a run to be kept, lost before it started', 'socket_lost', history([leg([queued], lost)])],
    [
      'a run that is resumed and ends',
      'exited',
      history([
        leg([queued, started, line(0)], lost),
        leg([resumed(3), ...all.slice(1), exit(6)], { resumedAfter: 2 }),
      ]),
    ],
    [
      'a resume whose answer is lost, and a second one',
      'exited',
      history([
        leg([queued, started, line(0)], lost),
        leg([], { resumedAfter: 2, lost: true }),
        leg([resumed(3), ...all.slice(1), exit(6)], { resumedAfter: 2 }),
      ]),
    ],
    [
      'a resume after the worker is lost',
      'resume_failed',
      history([leg([queued, started, line(0)], lost), leg([error('resume_failed')], { resumedAfter: 2 })]),
    ],
    [
      'a run that another socket takes over',
      'exited',
      history([
        leg([queued, started, line(0), error('taken_over')]),
        leg([resumed(3), ...all.slice(1), exit(6)], { resumedAfter: 2 }),
      ]),
    ],
    [
      'stdin that was too much',
      'exited',
      history([leg([queued, started, line(0), error('stdin_full'), ...all.slice(1), exit(6)])]),
    ],
  ])('%s', (_what, ending, given) => {
    expect(judge(given)).toMatchObject({ ending, violations: [] });
  });
});

describe('a bad history is found', () => {
  test.each<[string, Rule, RunHistory]>([
    ['no end', 'terminal_missing', history([leg([queued, started, ...all])])],
    ['no answer at all on a socket that lives', 'terminal_missing', history([leg([])])],
    ['a kept run whose client never resumed', 'terminal_missing', history([leg([queued, started], lost)])],
    [
      'a hole where there can be none',
      'terminal_missing',
      history([leg([queued, started, line(0)], lost), leg([error('resume_gap')], { resumedAfter: 2 })]),
    ],
    ['an end twice on one socket', 'terminal_doubled', history([leg([queued, started, ...all, exit(6), exit(7)])])],
    [
      'an end on each of two sockets',
      'terminal_doubled',
      history([
        leg([queued, started, line(0), error('worker_lost')]),
        leg([resumed(3), ...all.slice(1), exit(6)], { resumedAfter: 2 }),
      ]),
    ],
    ['output after the end', 'terminal_doubled', history([leg([queued, started, error('worker_lost'), line(0)])])],
    [
      'output after another socket took over',
      'terminal_doubled',
      history([
        leg([queued, started, error('taken_over'), line(0)]),
        leg([resumed(2), ...all, exit(6)], { resumedAfter: 1 }),
      ]),
    ],
    [
      'a start twice',
      'start_doubled',
      history([leg([queued, started], lost), leg([resumed(2), started], { resumedAfter: 1 })]),
    ],
    ['a gap in seq', 'seq_broken', history([leg([queued, started, line(0), line(2, 5), error('worker_lost')])])],
    [
      'a frame that comes again after a resume',
      'seq_broken',
      history([leg([queued, started, line(0)], lost), leg([resumed(2), ...all, exit(6)], { resumedAfter: 2 })]),
    ],
    ['a line left out without a gap', 'output_wrong', history([leg([queued, started, line(0), line(2, 3), exit(4)])])],
    ['a line doubled', 'output_wrong', history([leg([queued, started, line(0), line(0, 3), exit(4)])])],
    [
      'other bytes',
      'output_wrong',
      history([
        leg([queued, started, { event: 'stdout', data: { text: '8:00c0ffee:0\n', seq: 2 } }, error('worker_lost')]),
      ]),
    ],
    [
      'a second execution that goes on where the first one was',
      'output_wrong',
      history([
        leg([queued, started, line(0)], lost),
        leg([resumed(3), { event: 'stdout', data: { text: '7:0badcafe:1\n', seq: 3 } }, error('worker_lost')], {
          resumedAfter: 2,
        }),
      ]),
    ],
    [
      'a word on stderr',
      'output_wrong',
      history([leg([queued, started, ...all, { event: 'stderr', data: { text: '!', seq: 6 } }, exit(7)])]),
    ],
    ['exited with output missing', 'output_short', history([leg([queued, started, line(0), exit(3)])])],
    ['exited with another code', 'end_untrue', history([leg([queued, started, ...all, exit(6, { code: 1 })])])],
    ['a limit that was not met', 'end_untrue', history([leg([queued, started, exit(2, { reason: 'wall_limit' })])])],
    ['a fault of ours', 'end_untrue', history([leg([queued, started, error('internal')])])],
    [
      'a queue that ends a run that had started',
      'end_untrue',
      history([leg([queued, started, error('queue_timeout')])]),
    ],
    ['output before the start', 'order_wrong', history([leg([queued, line(0, 1), exit(2)])])],
    ['a start without a place in the queue', 'order_wrong', history([leg([started, ...all, exit(6)])])],
    [
      'output on a resumed socket before the answer',
      'order_wrong',
      history([leg([queued, started], lost), leg([...all, exit(6)], { resumedAfter: 1 })]),
    ],
  ])('%s', (_what, rule, given) => {
    expect(judge(given).violations.map((violation) => violation.rule)).toContain(rule);
  });
});
