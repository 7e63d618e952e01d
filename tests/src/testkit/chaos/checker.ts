// The judge of a run's history: what it saw against what the protocol promises. Pure.
import { isEnd, type EndFrame, type RunFrame } from '../run-handle.js';
import { type Leg, lastSeq, RESUME_GAP, type RunHistory, TAKEN_OVER } from './history.js';
import { knownOutput } from './program.js';

export type Rule =
  /** An accepted run has no terminal event, and its client could have got one. */
  | 'terminal_missing'
  /** More than one terminal event over all sockets, or a frame after one. */
  | 'terminal_doubled'
  /** More than one visible start. */
  | 'start_doubled'
  /** seq does not count on from what was asked for. */
  | 'seq_broken'
  /** The output is not the beginning of the known one. */
  | 'output_wrong'
  /** `exited`, and output is missing. */
  | 'output_short'
  /** The end reports something that did not happen. */
  | 'end_untrue'
  /** Frames that may not come in this order. */
  | 'order_wrong';

export interface Violation {
  readonly run: number;
  readonly rule: Rule;
  readonly detail: string;
}

/** How a run ended, for the table: `exited`, the code of an error, `refused CODE`, `socket_lost`, `never_accepted`, `missing`. */
export type Ending = string;

export interface Verdict {
  readonly accepted: boolean;
  readonly ending: Ending;
  /** Code and message of the error that ended it, for people. */
  readonly error: string | undefined;
  /** How many resumes were answered with `resumed`. */
  readonly resumes: number;
  readonly violations: readonly Violation[];
}

/** Errors with which faults of the service may end an accepted run, before its client saw it start and after that. */
const TRUE_BEFORE_START: ReadonlySet<string> = new Set([
  'worker_lost',
  'queue_timeout',
  'start_failed',
  'unavailable',
  'overloaded',
  'draining',
  'poison',
]);
const TRUE_AFTER_START: ReadonlySet<string> = new Set(['worker_lost', 'resume_failed']);

export function judge(history: RunHistory): Verdict {
  const { legs } = history;
  const frames = legs.flatMap((leg) => leg.frames);
  const accepted = frames.some((frame) => frame.event === 'queued' || frame.event === 'started');
  const ends = legs.flatMap((leg) => leg.frames.filter((frame): frame is EndFrame => isRunEnd(frame)));
  const [end] = ends;
  const faults: [Rule, string][] = [];
  const add = (rule: Rule, detail: string) => faults.push([rule, detail]);

  for (const leg of legs) for (const fault of legFaults(leg)) add(...fault);
  if (ends.length > 1) add('terminal_doubled', ends.map((frame) => endingOf(frame)).join(', '));
  const starts = frames.filter((frame) => frame.event === 'started').length;
  if (starts > 1) add('start_doubled', `${starts} started`);
  for (const fault of outputFaults(history, end)) add(...fault);
  if (end !== undefined && accepted) for (const fault of endFaults(history, end)) add(...fault);
  const missing = end === undefined && (accepted || !legs.some((leg) => leg.lost)) && !mayEndBySocket(history);
  if (missing) {
    add('terminal_missing', `${legs.length} sockets, the last frame is ${JSON.stringify(frames.at(-1) ?? null)}`);
  }
  return {
    accepted,
    ending: missing ? 'missing' : endingOfRun(end, accepted),
    error: end?.event === 'error' ? `${end.data.code}: ${end.data.message}` : undefined,
    resumes: frames.filter((frame) => frame.event === 'resumed').length,
    violations: faults.map(([rule, detail]) => ({ run: history.program.number, rule, detail })),
  };
}

/** Whether it ends the run, not just this socket's part of it. */
function isRunEnd(frame: RunFrame): frame is EndFrame {
  return isEnd(frame) && !isCode(frame, TAKEN_OVER, RESUME_GAP);
}

function isCode(frame: RunFrame, ...codes: string[]): boolean {
  return frame.event === 'error' && codes.includes(frame.data.code);
}

function legFaults(leg: Leg): [Rule, string][] {
  const faults: [Rule, string][] = [];
  const { frames, resumedAfter } = leg;
  const last = frames.findIndex((frame) => isEnd(frame));
  const behind = last === -1 ? undefined : frames[last + 1];
  if (behind !== undefined) faults.push(['terminal_doubled', `${behind.event} after the terminal event of its socket`]);
  let expected = (resumedAfter ?? 0) + 1;
  for (const frame of frames) {
    if (!('seq' in frame.data)) continue;
    if (frame.data.seq !== expected) faults.push(['seq_broken', `seq ${frame.data.seq} where ${expected} was due`]);
    expected = frame.data.seq + 1;
  }
  const [first] = frames;
  if (first === undefined) return faults;
  if (resumedAfter === undefined) {
    const started = frames.findIndex((frame) => frame.event === 'started');
    const output = frames.findIndex((frame) => frame.event === 'stdout' || frame.event === 'stderr');
    if (first.event !== 'queued' && first.event !== 'error') faults.push(['order_wrong', `${first.event} came first`]);
    if (output !== -1 && (started === -1 || output < started)) faults.push(['order_wrong', 'output before started']);
  } else {
    if (first.event !== 'resumed' && first.event !== 'error') faults.push(['order_wrong', `${first.event} came first`]);
    if (first.event === 'resumed' && first.data.replayed_from !== resumedAfter + 1)
      faults.push(['seq_broken', `replayed from ${first.data.replayed_from} after ${resumedAfter}`]);
  }
  return faults;
}

function outputFaults({ program, legs }: RunHistory, end: EndFrame | undefined): [Rule, string][] {
  const output = outputOf(legs);
  const known = knownOutput(program, output);
  if (!known.startsWith(output)) return [['output_wrong', difference(known, output)]];
  const exited = end?.event === 'exit' && end.data.reason === 'exited';
  if (exited && output !== known) return [['output_short', `${output.length} of ${known.length} characters`]];
  return [];
}

/** All output in the order in which it came, stdout and stderr: the programs write nothing to stderr, so a word there is wrong. */
export function outputOf(legs: readonly Leg[]): string {
  return legs
    .flatMap((leg) => leg.frames)
    .map((frame) => (frame.event === 'stdout' || frame.event === 'stderr' ? frame.data.text : ''))
    .join('');
}

function difference(known: string, seen: string): string {
  let at = 0;
  while (at < seen.length && known[at] === seen[at]) at += 1;
  const near = (text: string) => JSON.stringify(text.slice(Math.max(0, at - 10), at + 20));
  return `differs at ${at}: ${near(seen)} where ${near(known)} was due`;
}

function endFaults({ legs }: RunHistory, end: EndFrame): [Rule, string][] {
  const frames = legs.flatMap((leg) => leg.frames);
  const started = frames.some((frame) => frame.event === 'started');
  if (end.event === 'exit') {
    const { reason, code } = end.data;
    if (reason !== 'exited') return [['end_untrue', `exit with reason ${reason}`]];
    if (code !== 0) return [['end_untrue', `exited with code ${code}, where 0 was due`]];
    return started ? [] : [['order_wrong', 'exited without started']];
  }
  const allowed = started ? TRUE_AFTER_START : TRUE_BEFORE_START;
  if (allowed.has(end.data.code)) return [];
  const when = started ? 'after' : 'before';
  return [['end_untrue', `error ${end.data.code} ${when} started: ${end.data.message}`]];
}

/** A client that lost its socket, and could not or need not resume, ends with the loss. */
function mayEndBySocket({ keep, legs }: RunHistory): boolean {
  const last = legs.at(-1);
  if (last === undefined || !last.lost) return false;
  return !keep || !legs.some((leg) => leg.frames.some((frame) => frame.event === 'started'));
}

function endingOfRun(end: EndFrame | undefined, accepted: boolean): Ending {
  if (end === undefined) return accepted ? 'socket_lost' : 'never_accepted';
  return accepted ? endingOf(end) : `refused ${endingOf(end)}`;
}

function endingOf(end: EndFrame): string {
  return end.event === 'exit' ? end.data.reason : end.data.code;
}

/** What `after` a client sends with its next resume. */
export function seenUpTo(legs: readonly Leg[]): number {
  return legs.reduce((seen, leg) => lastSeq(leg.frames, seen), 0);
}
